using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Http.Clients;

/// <summary>SignalR over long polling: a client that makes its requests itself, to a server that holds them.</summary>
public sealed class SignalRTests
{
    private const int Count = 25;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Idle_connections_stay_connected_and_the_circuit_closed_where_their_path_is_a_long_poll()
    {
        HttpResilience resilience = HttpKit.Standard(_time, o => o.LongPolls.Paths.Add("/chat"));
        await using WebApplication app = await ServeAsync();
        (HubConnection[] connections, Polls polls) = await ConnectAsync(app, resilience);
        for (int i = 0; i < 180; i++) _time.Advance(TimeSpan.FromMilliseconds(100)); // the 18 s after which all were disconnected
        _time.Advance(TimeSpan.FromMinutes(10));
        polls.Open.Should().Be(Count, "no poll was cut");
        connections.Should().OnlyContain(c => c.State == HubConnectionState.Connected);
        (await connections[^1].InvokeAsync<string>("Echo", "still here").WaitAsync(Patience)).Should().Be("still here");
        resilience.Authorities.Should().ContainSingle().Which.CircuitBreaker!.State.Should().Be(CircuitState.Closed);
        await EndAsync(connections);
    }

    /// <summary>What the option is for, and that the test above would see it.</summary>
    [Fact]
    public async Task Without_the_option_the_same_connections_open_the_circuit()
    {
        HttpResilience resilience = HttpKit.Standard(_time);
        await using WebApplication app = await ServeAsync();
        (HubConnection[] connections, _) = await ConnectAsync(app, resilience);
        CircuitBreaker breaker = resilience.Authorities.Single().CircuitBreaker!;
        using CancellationTokenSource patience = new(Patience);
        while (breaker.State == CircuitState.Closed)
        {
            patience.Token.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        breaker.State.Should().NotBe(CircuitState.Closed);
        await EndAsync(connections);
    }

    private static async Task<WebApplication> ServeAsync()
    {
        WebApplicationBuilder builder = WebApplication.CreateBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSignalR();
        WebApplication app = builder.Build();
        app.MapHub<Chat>("/chat");
        await app.StartAsync();
        return app;
    }

    private static async Task<(HubConnection[] Connections, Polls Polls)> ConnectAsync(WebApplication app, HttpResilience resilience)
    {
        Polls polls = new();
        HubConnection[] connections =
        [
            .. Enumerable.Range(0, Count).Select(_ => new HubConnectionBuilder().WithUrl(
                $"{app.Urls.First()}/chat", HttpTransportType.LongPolling,
                o => o.HttpMessageHandlerFactory = inner => new ResilienceHttpHandler(resilience, new Counting(polls, inner))).Build()),
        ];
        await Task.WhenAll(connections.Select(c => c.StartAsync())).WaitAsync(Patience);
        using CancellationTokenSource patience = new(Patience);
        while (polls.Open < Count)
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }

        return (connections, polls);
    }

    private static async Task EndAsync(HubConnection[] connections)
    {
        foreach (HubConnection connection in connections)
            await connection.DisposeAsync().AsTask().WaitAsync(Patience).ContinueWith(_ => { }, TaskScheduler.Default);
    }

    private sealed class Chat : Hub
    {
        public string Echo(string text) => text;
    }

    /// <summary>How many polls the server holds now.</summary>
    private sealed class Polls
    {
        private int _open;

        internal int Open => Volatile.Read(ref _open);

        internal void Add(int change) => Interlocked.Add(ref _open, change);
    }

    private sealed class Counting(Polls polls, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            bool isPoll = request.Method == HttpMethod.Get;
            if (isPoll) polls.Add(1);
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            finally
            {
                if (isPoll) polls.Add(-1);
            }
        }
    }
}
