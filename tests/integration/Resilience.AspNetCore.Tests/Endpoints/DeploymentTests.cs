using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Resilience.AspNetCore.Tests;

/// <summary>One node stops while another one before the same store goes on: no caller waits for a lease, which is an hour here.</summary>
public sealed class DeploymentTests : IDisposable
{
    private readonly Ledger _quick = new(); // of both nodes, as the others
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"deployment-{Guid.NewGuid():N}.db");

    [Fact]
    public async Task A_node_that_stops_begins_nothing_new_tells_what_is_known_and_lets_what_runs_end()
    {
        Ledger ledger = new() { Gate = NewGate() };
        await using Node stops = await OpenAsync(ledger, TimeSpan.FromSeconds(30)), stays = await OpenAsync(ledger, TimeSpan.FromSeconds(30));
        (await stays.SendAsync("done", "quick")).Status.Should().Be(200);
        Task<Answer> running = stops.SendAsync("running", "slow");
        await ledger.Begun.Task.WaitAsync(Shop.Patience);

        Task stopping = stops.App.StopAsync();
        await stops.Doorman.IsStopping.Task.WaitAsync(Shop.Patience); // the server still takes requests
        Answer fresh = await stops.SendAsync("new", "quick"), again = await stops.SendAsync("done", "quick");

        (fresh.Status, fresh.Code, fresh.RetryAfter).Should().Be((503, "stopping", "1"));
        fresh.Closes.Should().BeTrue("the repetition is to reach another node");
        (again.Status, again.IsReplayed).Should().Be((200, true), "an outcome that is known is told");
        (await stays.SendAsync("new", "quick")).Should().Match<Answer>(a => a.Status == 200 && !a.IsReplayed);

        stops.Doorman.MayGoOn.SetResult();
        ledger.Gate.SetResult();
        (await running).Status.Should().Be(200, "what runs has the time until the shutdown timeout");
        await stopping.WaitAsync(Shop.Patience);
        (await stays.SendAsync("running", "slow")).Should().Match<Answer>(a => a.Status == 200 && a.IsReplayed);
        (ledger.Count, _quick.Count).Should().Be((1, 2));
    }

    [Fact]
    public async Task An_execution_that_the_shutdown_timeout_cuts_off_is_taken_over_at_once()
    {
        Ledger ledger = new();
        await using Node stops = await OpenAsync(ledger, TimeSpan.FromMilliseconds(50)), stays = await OpenAsync(ledger, TimeSpan.FromSeconds(30));
        Task<Answer> cut = stops.SendAsync("k", "until-cancelled");
        await stops.Begun.Task.WaitAsync(Shop.Patience);

        stops.Doorman.MayGoOn.SetResult();
        await stops.App.StopAsync().WaitAsync(Shop.Patience);

        Answer next = await stays.SendAsync("k", "until-cancelled", "2");
        (next.Status, next.Text).Should().Be((200, "attempt 2"), "the lease of an hour does not stand in the way, and the attempt stays counted");
        await FluentActions.Awaiting(() => cut).Should().ThrowAsync<HttpRequestException>();
    }

    [Fact]
    public async Task An_execution_that_goes_on_after_its_time_keeps_its_lease()
    {
        Ledger ledger = new() { Gate = NewGate() };
        await using Node stops = await OpenAsync(ledger, TimeSpan.FromMilliseconds(50)), stays = await OpenAsync(ledger, TimeSpan.FromSeconds(30));
        Task<Answer> cut = stops.SendAsync("k", "slow");
        await ledger.Begun.Task.WaitAsync(Shop.Patience);
        stops.Doorman.MayGoOn.SetResult();

        await stops.App.StopAsync().WaitAsync(Shop.Patience);

        (await stays.SendAsync("k", "slow")).Should().Match<Answer>(a => a.Status == 409 && a.Code == "in-flight");
        ledger.Count.Should().Be(1, "it has not ended, so no other node may begin beside it");
        ledger.Gate.SetResult();
        await FluentActions.Awaiting(() => cut).Should().ThrowAsync<HttpRequestException>();
    }

    [Fact]
    public async Task A_message_that_a_stop_interrupts_is_processed_elsewhere_at_once()
    {
        Ledger ledger = new();
        await using Node stops = await OpenAsync(ledger, TimeSpan.FromSeconds(30)), stays = await OpenAsync(ledger, TimeSpan.FromSeconds(30));
        IdempotencyKey message = new("billing", "message-1");
        Consumer consumer = stops.App.Services.GetServices<IHostedService>().OfType<Consumer>().Single();
        consumer.Message.SetResult(message);
        await consumer.Begun.Task.WaitAsync(Shop.Patience);
        stops.Doorman.MayGoOn.SetResult();

        await stops.App.StopAsync().WaitAsync(Shop.Patience);

        MessageResult answer = await stays.App.Services.GetRequiredService<IdempotencyGate>().ProcessOnceAsync(message, (claim, _) =>
        {
            claim.Attempt.Should().Be(2);
            return ValueTask.CompletedTask;
        });
        answer.Should().Be(MessageResult.Processed);
    }

    private static TaskCompletionSource NewGate() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task<Node> OpenAsync(Ledger ledger, TimeSpan shutdown)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = shutdown);
        Doorman doorman = new();
        builder.Services.AddSingleton<IHostedService>(doorman); // first, so it is stopped last
        builder.Services.AddIdempotency(o =>
        {
            (o.Lease, o.MaxExecution) = (TimeSpan.FromHours(1), TimeSpan.FromHours(2));
            o.WhenInFlight = WhenInFlight.Reject;
            o.AcquireTimeout = TimeSpan.FromSeconds(30); // the machine may be busy
        }).UseSqlite($"Data Source={_file}").AddEndpoints(o => o.AllowSharedScope = true);
        builder.Services.AddHostedService<Consumer>();
        WebApplication app = builder.Build();
        Node node = new(app, doorman);
        app.MapPost("/quick", () => _quick.ChargeAsync("quick")).RequireIdempotencyKey();
        app.MapPost("/slow", async () =>
        {
            ledger.Begun.TrySetResult();
            return await ledger.ChargeAsync();
        }).RequireIdempotencyKey();
        app.MapPost("/until-cancelled", async (HttpContext context, string? go, CancellationToken stop) =>
        {
            node.Begun.TrySetResult();
            if (go is null) await Task.Delay(Timeout.Infinite, stop);
            return $"attempt {context.GetIdempotencyClaim()!.Attempt}";
        }).RequireIdempotencyKey(o => o.FingerprintFor = (_, _) => Fingerprint.Of("the same"));
        await app.StartAsync();
        return node;
    }

    public void Dispose()
    {
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
    }

    private sealed record Answer(int Status, string Text, bool IsReplayed, string? RetryAfter, bool Closes)
    {
        internal string? Code => Text.StartsWith('{') ? JsonDocument.Parse(Text).RootElement.GetProperty("code").GetString() : null;
    }

    private sealed class Node(WebApplication app, Doorman doorman) : IAsyncDisposable
    {
        private readonly HttpClient _client = new();

        internal WebApplication App => app;

        internal Doorman Doorman => doorman;

        internal TaskCompletionSource Begun { get; } = NewGate();

        internal async Task<Answer> SendAsync(string key, string path, string? go = null)
        {
            Uri address = new(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
            using HttpRequestMessage request = new(HttpMethod.Post, new Uri(address, go is null ? path : $"{path}?go={go}"))
            {
                Content = new StringContent("{}", Encoding.UTF8, "application/json"),
            };
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
            using HttpResponseMessage response = await _client.SendAsync(request).WaitAsync(Shop.Patience);
            return new(
                (int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Contains("Idempotent-Replayed"),
                response.Headers.RetryAfter?.ToString(), response.Headers.ConnectionClose == true);
        }

        public async ValueTask DisposeAsync()
        {
            doorman.MayGoOn.TrySetResult();
            _client.Dispose();
            await app.DisposeAsync();
        }
    }

    /// <summary>Holds the stop up between its first word and the server's end, as a balancer that has not noticed yet does.</summary>
    private sealed class Doorman : IHostedLifecycleService
    {
        internal TaskCompletionSource IsStopping { get; } = NewGate();

        internal TaskCompletionSource MayGoOn { get; } = NewGate();

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken)
        {
            IsStopping.TrySetResult();
            return MayGoOn.Task;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>Consumes one message, which takes until the host stops.</summary>
    private sealed class Consumer(IdempotencyGate gate) : BackgroundService
    {
        internal TaskCompletionSource<IdempotencyKey> Message { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        internal TaskCompletionSource Begun { get; } = NewGate();

        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            IdempotencyKey message = await Message.Task.WaitAsync(stoppingToken);
            await gate.ProcessOnceAsync(message, async (_, stop) =>
            {
                Begun.SetResult();
                await Task.Delay(Timeout.Infinite, stop);
            }, cancellationToken: stoppingToken);
        }
    }
}
