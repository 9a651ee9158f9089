using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Resilience.Http.Benchmarks;

/// <summary>What do the handlers add to a request, over a network in memory?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_a_request_in_memory
{
    internal const int Calls = 1000;

    private static readonly byte[] Body = new byte[256];

    private readonly HttpClient _bare = Clients.Bare(() => new Memory(false, false)), _microsoft = Clients.Microsoft(() => new Memory(false, false)),
        _ours = Clients.Ours(() => new Memory(false, false)), _bareLate = Clients.Bare(() => new Memory(true, false)),
        _microsoftLate = Clients.Microsoft(() => new Memory(true, false)), _oursLate = Clients.Ours(() => new Memory(true, false)),
        _bareBad = Clients.Bare(() => new Memory(true, true)), _microsoftBad = Clients.Microsoft(() => new Memory(true, true)),
        _oursBad = Clients.Ours(() => new Memory(true, true));

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered at once")]
    public Task AtOnce_Bare() => OneByOne(GetAsync, _bare);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered at once")]
    public Task AtOnce_Microsoft() => OneByOne(GetAsync, _microsoft);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered at once")]
    public Task AtOnce() => OneByOne(GetAsync, _ours);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered later")]
    public Task Later_Bare() => OneByOne(GetAsync, _bareLate);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered later")]
    public Task Later_Microsoft() => OneByOne(GetAsync, _microsoftLate);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, answered later")]
    public Task Later() => OneByOne(GetAsync, _oursLate);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("PUT, 256 bytes, four headers, answered later")]
    public Task Put_Bare() => OneByOne(PutAsync, _bareLate);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("PUT, 256 bytes, four headers, answered later")]
    public Task Put_Microsoft() => OneByOne(PutAsync, _microsoftLate);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("PUT, 256 bytes, four headers, answered later")]
    public Task Put() => OneByOne(PutAsync, _oursLate);

    /// <summary>The bare client asks twice, as the others do within.</summary>
    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, 503 first, then 200")]
    public Task Retried_Bare() => OneByOne(static async client => await GetAsync(client) + await GetAsync(client), _bareBad);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, 503 first, then 200")]
    public Task Retried_Microsoft() => OneByOne(GetAsync, _microsoftBad);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET, 503 first, then 200")]
    public Task Retried() => OneByOne(GetAsync, _oursBad);

    /// <summary>One after the other on threads of the pool, as a server does.</summary>
    internal static Task OneByOne(Func<HttpClient, Task<int>> call, HttpClient client) => Task.Run(async () =>
    {
        for (int i = 0; i < Calls; i++) await call(client);
    });

    internal static async Task<int> GetAsync(HttpClient client)
    {
        using HttpRequestMessage request = new(HttpMethod.Get, client.BaseAddress);
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (int)response.StatusCode;
    }

    private static async Task<int> PutAsync(HttpClient client)
    {
        using HttpRequestMessage request = new(HttpMethod.Put, client.BaseAddress) { Content = new ByteArrayContent(Body) };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer abc");
        request.Headers.TryAddWithoutValidation("Accept", "application/json");
        request.Headers.TryAddWithoutValidation("X-One", "1");
        request.Headers.TryAddWithoutValidation("X-Two", "2");
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return (int)response.StatusCode;
    }
}

/// <summary>And what is that beside a real request to a Kestrel server on loopback?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_a_request_over_loopback
{
    private const int Calls = Cost_of_a_request_in_memory.Calls;

    private WebApplication _server = null!;
    private HttpClient _bare = null!, _microsoft = null!, _ours = null!;

    [GlobalSetup]
    public async Task StartAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _server = builder.Build();
        _server.MapGet("/", () => Results.Ok());
        await _server.StartAsync();
        Uri address = new(_server.Urls.First());
        _bare = Clients.Bare(() => new SocketsHttpHandler());
        _microsoft = Clients.Microsoft(() => new SocketsHttpHandler());
        _ours = Clients.Ours(() => new SocketsHttpHandler());
        _bare.BaseAddress = _microsoft.BaseAddress = _ours.BaseAddress = address;
    }

    [GlobalCleanup]
    public async Task StopAsync() => await _server.DisposeAsync();

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET over loopback, HTTP/1.1")]
    public Task Loopback_Bare() => Cost_of_a_request_in_memory.OneByOne(Cost_of_a_request_in_memory.GetAsync, _bare);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET over loopback, HTTP/1.1")]
    public Task Loopback_Microsoft() => Cost_of_a_request_in_memory.OneByOne(Cost_of_a_request_in_memory.GetAsync, _microsoft);

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("GET over loopback, HTTP/1.1")]
    public Task Loopback() => Cost_of_a_request_in_memory.OneByOne(Cost_of_a_request_in_memory.GetAsync, _ours);
}
