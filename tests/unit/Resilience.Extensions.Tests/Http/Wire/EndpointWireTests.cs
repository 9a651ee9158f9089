using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Overload;

namespace Resilience.Tests.Http.Wire;

/// <summary>Ten real servers on loopback, one of them dead and one slow.</summary>
public sealed class EndpointWireTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private sealed class Server : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private int _asked;

        private Server(WebApplication app) => _app = app;

        public int Asked => Volatile.Read(ref _asked);

        public string? Host { get; private set; }

        public Uri Address { get; private set; } = null!;

        public static async Task<Server> StartAsync(Func<Task>? before = null)
        {
            WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            WebApplication app = builder.Build();
            Server server = new(app);
            app.Map("{**path}", async (HttpContext context) =>
            {
                Interlocked.Increment(ref server._asked);
                server.Host = context.Request.Host.Value;
                if (before is not null) await before();
                return $"{context.Request.Path}{context.Request.QueryString}";
            });
            await app.StartAsync();
            server.Address = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
            return server;
        }

        public ValueTask DisposeAsync() => _app.DisposeAsync();
    }

    /// <summary>A port at which nothing listens.</summary>
    private static Uri NothingThere()
    {
        using Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0)); // bound and not listening, then closed: the port is not given out again soon
        return new($"http://127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}");
    }

    [Fact]
    public async Task Of_ten_servers_one_is_dead_and_one_is_slow_and_no_call_fails()
    {
        int served = 0;
        TaskCompletionSource enough = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<Server> servers = [];
        for (int i = 0; i < 8; i++)
        {
            servers.Add(await Server.StartAsync(() =>
            {
                if (Interlocked.Increment(ref served) == 200) enough.TrySetResult();
                return Task.CompletedTask;
            }));
        }

        Server slow = await Server.StartAsync(() => enough.Task.WaitAsync(Patience)); // slow as it is, it answers when the others have answered 200
        await using ServiceProvider services = Container(
            s => s.AddHttpClient("catalog", c => c.BaseAddress = new("http://catalog"))
                .AddEndpoints(o =>
                {
                    foreach (Server server in servers) o.Addresses.Add(server.Address);
                    o.Addresses.Add(slow.Address);
                    o.Addresses.Add(NothingThere());
                })
                .AddStandardResilience(o =>
                {
                    (o.TotalTimeout, o.AttemptTimeout) = (TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(3));
                    o.Retry!.BaseDelay = TimeSpan.FromMilliseconds(1);
                    o.Retry.Budget = RetryBudget.Unlimited;
                }));
        HttpClient client = services.GetRequiredService<IHttpClientFactory>().CreateClient("catalog");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++) (await client.GetStringAsync(new Uri("/items?page=2", UriKind.Relative))).Should().Be("/items?page=2");
        })));
        (slow.Asked + served).Should().Be(400, "each call was served once");
        slow.Asked.Should().BeLessThan(20, "a tenth of 400 would be 40");
        servers.Should().OnlyContain(server => server.Asked > 0 && server.Host == "catalog", "the name of the service is kept");
        EndpointSet set = SetOf(services);
        set.Endpoints.Sum(e => e.Pending).Should().Be(0);
        set.Endpoints[^1].Load.Should().BeGreaterThan(set.Endpoints.Take(8).Max(e => e.Load));
        foreach (Server server in servers) await server.DisposeAsync();
        await slow.DisposeAsync();
    }

    private static EndpointSet SetOf(IServiceProvider services) =>
        services.GetRequiredService<HttpResilienceProvider>().GetResilience("catalog").For(new("http://catalog")).Pipeline.Find<EndpointSet>()!;

    private static ServiceProvider Container(Action<IServiceCollection> add, params (string Key, string Value)[] configuration)
    {
        ServiceCollection services = new();
        services.AddLogging();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder()
            .AddInMemoryCollection(configuration.Select(v => new KeyValuePair<string, string?>(v.Key, v.Value))).Build());
        add(services);
        return services.BuildServiceProvider();
    }

    [Theory]
    [InlineData("http://10.0.0.1:8080", "http://catalog/items?page=2", "http://10.0.0.1:8080/items?page=2")]
    [InlineData("https://b.example.org/v2/", "http://catalog/items", "https://b.example.org/v2/items")]
    [InlineData("http://[::1]:5000", "https://catalog:444/", "http://[::1]:5000/")]
    public void A_request_keeps_its_path_and_takes_the_endpoints_authority(string endpoint, string requested, string expected) =>
        EndpointAddress.At(new(endpoint), new(requested)).Should().Be(new Uri(expected));

    [Fact]
    public async Task Endpoints_come_from_configuration_and_what_is_wrong_there_stops_the_start()
    {
        await using ServiceProvider right = Container(
            s => s.AddHttpClient("catalog").AddStandardResilience("Catalog"),
            ("Catalog:Endpoints:Addresses:0", "http://10.0.0.1"), ("Catalog:Endpoints:Ejection:MaxShare", "0.2"));
        EndpointSet set = SetOf(right);
        set.Endpoints.Select(e => e.Address).Should().Equal(new Uri("http://10.0.0.1"));
        await using ServiceProvider wrong = Container(
            s => s.AddHttpClient("catalog").AddStandardResilience("Catalog"),
            ("Catalog:Endpoints:Addresses:0", "no address"), ("Catalog:Endpoints:Ejection:MaxShare", "2"));
        wrong.Invoking(s => s.GetRequiredService<IStartupValidator>().Validate()).Should().Throw<OptionsValidationException>().WithMessage("*MaxShare*");
    }

    [Fact]
    public async Task Endpoints_without_a_pipeline_and_endpoints_with_one_of_ones_own_are_errors()
    {
        await using ServiceProvider bare = Container(s => s.AddHttpClient("catalog").AddEndpoints(o => o.Addresses.Add(new("http://10.0.0.1"))));
        bare.Invoking(s => s.GetRequiredService<IHttpClientFactory>().CreateClient("catalog"))
            .Should().Throw<InvalidOperationException>().WithMessage("*AddStandardResilience*");
        await using ServiceProvider own = Container(s => s.AddHttpClient("catalog").AddResilience(b => b.AddRetry())
            .AddEndpoints(o => o.Addresses.Add(new("http://10.0.0.1"))));
        own.Invoking(s => s.GetRequiredService<IHttpClientFactory>().CreateClient("catalog"))
            .Should().Throw<InvalidOperationException>().WithMessage("*builder of the pipeline*");
    }

    [Fact]
    public async Task A_set_of_the_applications_changes_its_list()
    {
        await using Server first = await Server.StartAsync(), second = await Server.StartAsync();
        EndpointSet set = new(new EndpointSetOptions { Addresses = { first.Address } });
        await using ServiceProvider services = Container(s => s.AddHttpClient("catalog").AddEndpoints(_ => set).AddStandardResilience());
        HttpClient client = services.GetRequiredService<IHttpClientFactory>().CreateClient("catalog");
        await client.GetStringAsync(new Uri("http://catalog/"));
        set.SetAddresses([second.Address]);
        await client.GetStringAsync(new Uri("http://catalog/"));
        (first.Asked, second.Asked).Should().Be((1, 1));
    }
}
