using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Resilience.StoreTests.Servers;

/// <summary>The whole story: our client and our endpoints with all defaults, two nodes, one store. The connection is cut while the first node is at it,
/// the retry reaches the other one, and the caller receives the receipt.</summary>
public sealed class WholeStoryTests(PostgresServer postgres, RedisServer redis) : IClassFixture<PostgresServer>, IClassFixture<RedisServer>, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _file = Path.Combine(Path.GetTempPath(), $"whole-story-{Guid.NewGuid():N}.db");
    private readonly TaskCompletionSource _begun = New(), _atTheOther = New(), _mayEnd = New();
    private int _charges;

    public static TheoryData<string> Stores => new() { "sqlite", "postgresql", "redis" };

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_payment_whose_connection_is_cut_is_made_once_and_ends_with_the_receipt_from_the_other_node(string store)
    {
        await using WebApplication first = await OpenAsync(store), second = await OpenAsync(store, isOther: true);
        await CreateTableAsync(store, first);
        await using Balancer balancer = new(first, second);
        ServiceCollection services = [];
        services.AddHttpClient("payments").AddIdempotencyKey().AddStandardResilience().ConfigurePrimaryHttpMessageHandler(() => balancer.Handler);
        await using ServiceProvider provider = services.BuildServiceProvider();
        using HttpClient client = provider.GetRequiredService<IHttpClientFactory>().CreateClient("payments");

        Task<HttpResponseMessage> paying = client.PostAsync(new Uri("http://shop.example/charges"), new StringContent("{\"amount\":7}", Encoding.UTF8, "application/json"));
        await _begun.Task.WaitAsync(Patience);
        balancer.Cut();
        await _atTheOther.Task.WaitAsync(Patience);
        _mayEnd.SetResult();

        using HttpResponseMessage receipt = await paying.WaitAsync(Patience);
        (receipt.StatusCode, await receipt.Content.ReadAsStringAsync()).Should().Be((HttpStatusCode.OK, "receipt 1"));
        receipt.Headers.GetValues("Idempotent-Replayed").Should().Equal("true");
        _charges.Should().Be(1);
        balancer.Connections.Should().BeGreaterThanOrEqualTo(2);
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<WebApplication> OpenAsync(string store, bool isOther = false)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        IIdempotencyBuilder idempotency = builder.Services.AddIdempotency();
        _ = store switch
        {
            "sqlite" => idempotency.UseSqlite($"Data Source={_file}"),
            "postgresql" => idempotency.UsePostgreSql(postgres.ConnectionString, o => o.Table = "whole_story"),
            _ => idempotency.UseRedis($"127.0.0.1:{redis.Port}"),
        };
        WebApplication app = builder.Build();
        app.Use((context, next) =>
        {
            if (isOther) _atTheOther.TrySetResult();
            return next(context);
        });
        app.MapPost("/charges", async () =>
        {
            int charge = Interlocked.Increment(ref _charges);
            _begun.TrySetResult();
            await _mayEnd.Task;
            return $"receipt {charge}";
        }).RequireIdempotencyKey(o => o.AllowSharedScope = true);
        await app.StartAsync();
        return app;
    }

    /// <summary>As a deployment does, and the first connection of each node is made: what is slow on a machine that is busy has happened.</summary>
    private static async Task CreateTableAsync(string store, WebApplication node)
    {
        if (store == "postgresql") await ((PostgresIdempotencyStore)node.Services.GetRequiredService<IIdempotencyStore>()).EnsureCreatedAsync();
    }

    public void Dispose()
    {
        NpgsqlConnection.ClearAllPools();
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
    }

    /// <summary>One name, two nodes: the first connection leads to one, all others to the other. The first can be cut.</summary>
    private sealed class Balancer : IAsyncDisposable
    {
        private readonly EndPoint _first, _second;
        private Socket? _socket;
        private int _connections;

        internal Balancer(WebApplication first, WebApplication second)
        {
            (_first, _second) = (EndPointOf(first), EndPointOf(second));
            Handler = new() { ConnectCallback = ConnectAsync, UseProxy = false };
        }

        internal SocketsHttpHandler Handler { get; }

        internal int Connections => Volatile.Read(ref _connections);

        internal void Cut() => _socket!.Close(0); // a reset, as of a node that is gone

        private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
        {
            bool isFirst = Interlocked.Increment(ref _connections) == 1;
            Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (isFirst) _socket = socket;
            await socket.ConnectAsync(isFirst ? _first : _second, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }

        private static IPEndPoint EndPointOf(WebApplication app)
        {
            Uri address = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
            return new(IPAddress.Loopback, address.Port);
        }

        public ValueTask DisposeAsync()
        {
            Handler.Dispose();
            _socket?.Dispose();
            return default;
        }
    }
}
