using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Resilience.Tests.Http;

namespace Resilience.Tests.Telemetry;

/// <summary>Makes everything happen that telemetry can tell of, each thing at least once. A new policy gets a method here and rows in the table.</summary>
internal sealed class Everything
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<object> _alive = []; // what observable instruments hold weakly

    internal static async Task HappenAsync(Heard heard)
    {
        Everything all = new();
        using (Heard.Callers.StartActivity("caller"))
        {
            await all.AWholePipelineAsync();
            await all.RetriesAsync();
            await WaitsAsync();
            await all.BreakersAsync();
            await all.LimitsAsync();
            await all.RateLimitersAsync();
            await all.TimeoutsAsync();
            await all.FallbacksAsync();
            await all.IdempotencyAsync();
            await all.HttpAsync();
            await all.HedgesAsync();
            await all.ChaosAsync();
            await all.ThrottlesAsync();
            await all.AdaptiveLimitsAsync();
            all.Endpoints();
            await all.SheddersAsync();
        }

        await ReloadsAsync();
        heard.Collect();
        foreach (LoadShedder shedder in all._alive.OfType<LoadShedder>()) shedder.Dispose();
        GC.KeepAlive(all._alive);
    }

    private ResiliencePipelineBuilder New(string name) => new() { Name = name, TimeProvider = _time };

    private async Task AWholePipelineAsync()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1 });
        using IdempotencyGate gate = new(timeProvider: _time);
        ResiliencePipeline pipeline = New("whole")
            .AddFallback(new FallbackOptions<int> { Value = 0 }).AddIdempotency(gate, new() { KeyFor = _ => IdempotencyKey.Shared("whole") })
            .AddTimeout(TimeSpan.FromSeconds(10)).AddRateLimiter(limiter).AddRetry().AddAdaptiveThrottle().AddCircuitBreaker().AddConcurrencyLimit(2)
                .AddTimeout(TimeSpan.FromSeconds(2)).Build();
        _alive.Add(pipeline);
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(5))).Should().Be(5);
    }

    /// <summary>On the system's time: what is due on another is not ours to measure.</summary>
    private static async Task WaitsAsync()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "waits" }.AddRetry(o =>
        {
            (o.MaxRetries, o.BaseDelay, o.Jitter) = (1, TimeSpan.FromMilliseconds(1), BackoffJitter.None);
            (o.BackoffKind, o.Budget) = (BackoffKind.Constant, RetryBudget.Unlimited);
        }).Build();
        await pipeline.TryExecuteAsync(static _ => ValueTask.FromException<int>(new IOException()));
    }

    private async Task RetriesAsync()
    {
        ResiliencePipeline pipeline = New("retries")
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.OnRetry) = (1, TimeSpan.Zero, (_, _) => throw new InvalidOperationException())).Build();
        _alive.Add(pipeline);
        Outcome<int> failed = await pipeline.TryExecuteAsync(new CallOptions("charge"),
            static (ResilienceContext _, int _) => ValueTask.FromException<int>(new IOException()), 0);
        failed.Verdict.Should().Be(Verdict.Failure);
    }

    private async Task BreakersAsync()
    {
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 5, SlowCallThreshold = TimeSpan.FromSeconds(1), MinimumCalls = 100 },
            _time);
        ResiliencePipeline pipeline = New("breakers").AddCircuitBreaker(breaker).Build();
        _alive.Add(breaker);
        await pipeline.ExecuteAsync(_ =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return new ValueTask<int>(1);
        });
        TaskCompletionSource<int> late = new();
        Task<int> running = pipeline.ExecuteAsync(_ => late.Task).AsTask();
        breaker.Isolate();
        late.SetResult(1);
        await running;
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
        breaker.Close();
        for (int i = 0; i < 5; i++) await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        breaker.State.Should().Be(CircuitState.Open);
    }

    private async Task LimitsAsync()
    {
        ResiliencePipeline pipeline = New("limits").AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 1, MaxQueued = 1 }).Build();
        _alive.Add(pipeline);
        await HoldWaitAndRejectAsync(pipeline);
    }

    private async Task RateLimitersAsync()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 1 });
        await HoldWaitAndRejectAsync(New("rates").AddRateLimiter(limiter).Build());
    }

    private static async Task HoldWaitAndRejectAsync(ResiliencePipeline pipeline)
    {
        TaskCompletionSource<int> end = new();
        Task<int> first = pipeline.ExecuteAsync(_ => end.Task).AsTask(), second = pipeline.ExecuteAsync(_ => end.Task).AsTask();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
        end.SetResult(1);
        await Task.WhenAll(first, second);
    }

    private async Task TimeoutsAsync()
    {
        ResiliencePipeline pipeline = New("timeouts").AddTimeout(TimeSpan.FromSeconds(1)).Build();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync<int>(async token =>
        {
            await Task.Delay(Timeout.Infinite, token);
            return 1;
        }).AsTask();
        _time.Advance(TimeSpan.FromSeconds(2));
        (await call).Exception.Should().BeOfType<TimedOutException>();
    }

    private async Task FallbacksAsync()
    {
        New("synchronous").AddFallback(new FallbackOptions<int> { Call = static async _ => { await Task.Yield(); return 7; } }).Build()
            .Execute(static int (_) => throw new IOException()).Should().Be(7);
        ResiliencePipeline pipeline = New("fallbacks").AddFallback(new FallbackOptions<int> { Value = 7 }).Build();
        (await pipeline.ExecuteAsync<int>(_ => throw new IOException())).Should().Be(7);
    }

    private async Task IdempotencyAsync()
    {
        FaultyStore store = new(new InMemoryIdempotencyStore(timeProvider: _time));
        using IdempotencyGate gate = new(store, new() { WhenInFlight = WhenInFlight.Wait }, _time);
        ResiliencePipeline pipeline = New("operations").AddIdempotency(gate).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected, "it has no key");

        // One waits for another.
        TaskCompletionSource<int> end = new();
        Task<int> Create(string key) => gate.GetOrAddAsync(IdempotencyKey.Shared(key), async (_, _) => await end.Task).AsTask();
        Task<int> first = Create("waited for"), second = Create("waited for");
        end.SetResult(1);
        await Task.WhenAll(first, second);

        // One takes over from another.
        IdempotencyId id = IdempotencyKey.Shared("taken over").ToId();
        (await gate.EnterAsync(id, default)).Claim!.Hold();
        _time.Advance(TimeSpan.FromMinutes(1));
        IdempotencyClaim second2 = (await gate.EnterAsync(id, default)).Claim!;
        second2.Attempt.Should().Be(2);
        second2.Hold();

        // One loses its claim while it runs, and its outcome with it.
        store.LosesClaims = true;
        Task<int> losing = gate.GetOrAddAsync(IdempotencyKey.Shared("lost"), async (claim, _) =>
        {
            TaskCompletionSource lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
            await using CancellationTokenRegistration heard = claim.LeaseLost.Register(lost.SetResult);
            _time.Advance(TimeSpan.FromSeconds(20));
            await lost.Task;
            return 1;
        }).AsTask();
        await losing;

        store.Fails = true;
        await FluentActions.Awaiting(() => Create("no store")).Should().ThrowAsync<IdempotencyRejectedException>();
    }

    private async Task HttpAsync()
    {
        HttpResilience resilience = HttpKit.Standard(_time);
        _alive.Add(resilience);
        using HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.BadGateway, HttpStatusCode.OK));
        using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
        response.StatusCode.Should().Be(HttpStatusCode.OK);
    }

    private async Task HedgesAsync()
    {
        ResiliencePipeline pipeline = New("hedges").AddHedging(o => (o.Delay, o.DelayQuantile) = (TimeSpan.FromSeconds(1), 0.95)).Build();
        _alive.Add(pipeline);
        int attempts = 0;
        Task<int> call = pipeline.ExecuteAsync<int>(async token =>
        {
            if (Interlocked.Increment(ref attempts) == 1) await Task.Delay(Timeout.Infinite, token);
            return 1;
        }).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        await call;
        ResiliencePipeline stopped = New("no hedges").AddHedging(o => o.Delay = Timeout.InfiniteTimeSpan).Build();
        await stopped.TryExecuteAsync(new CallOptions("charge"), static (ResilienceContext context, int _) =>
        {
            context.ForbidRetry("it may have been done");
            return ValueTask.FromException<int>(new IOException());
        }, 0);
    }

    private void Endpoints()
    {
        EndpointSetOptions options = new() { Addresses = { new("http://10.0.0.1"), new("http://10.0.0.2") } };
        ResiliencePipeline pipeline = New("endpoints").AddEndpoints(options).Build();
        _alive.Add(pipeline);
        EndpointSet set = pipeline.Find<EndpointSet>()!;
        for (int i = 0; i < 5; i++) set.Release(set.TryPick(set.Endpoints[1])!.Value, EndpointEnd.Failed);
        _time.Advance(TimeSpan.FromSeconds(30));
        for (int i = 0; i < 3; i++) set.Release(set.TryPick()!.Value, EndpointEnd.Answered);
    }

    private async Task ThrottlesAsync()
    {
        ResiliencePipeline pipeline = New("throttle").AddAdaptiveThrottle(EventSamples.Failing()).Build();
        _alive.Add(pipeline);
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
    }

    private async Task AdaptiveLimitsAsync()
    {
        ResiliencePipeline pipeline = New("adaptive limit")
            .AddAdaptiveConcurrencyLimit(o => (o.Algorithm, o.MaxQueued) = (LimitAlgorithm.Gradient, 1)).Build();
        _alive.Add(pipeline);
        AdaptiveConcurrencyLimit limit = pipeline.Find<AdaptiveConcurrencyLimit>()!;
        List<LimitPermit> held = [];
        while (limit.TryEnter() is { } permit) held.Add(permit);
        Task<Outcome<int>> waiting = pipeline.TryExecuteAsync(_ => new ValueTask<int>(1)).AsTask();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);
        _time.Advance(TimeSpan.FromSeconds(1));
        (await waiting).Verdict.Should().Be(Verdict.Rejected);
        foreach (LimitPermit permit in held) limit.Leave(permit, Verdict.Success);
    }

    /// <summary>A server that rejects for every reason, in earnest and in a dry run.</summary>
    private async Task SheddersAsync()
    {
        LoadShedder full = Shedder(o => (o.Limit.MaxQueued, o.Limit.MaxWait) = (1, TimeSpan.FromMinutes(1)));
        ShedAdmission only = await full.EnterAsync(new(Criticality.Sheddable));
        Task<ShedAdmission> evicted = full.EnterAsync(new(Criticality.SheddablePlus)).AsTask(), stands = full.EnterAsync(new(Criticality.Critical)).AsTask();
        foreach (TimeSpan? left in (TimeSpan?[])[null, TimeSpan.Zero]) await full.EnterAsync(new(Criticality.Critical) { TimeLeft = left });
        _time.Advance(TimeSpan.FromSeconds(1));
        full.Leave(only, Verdict.Success);
        await Task.WhenAll(evicted, stands);
        LoadShedder withoutQueue = Shedder(_ => { });
        foreach (Criticality criticality in Enum.GetValues<Criticality>()) await withoutQueue.EnterAsync(new(criticality));

        Action<LoadShedderOptions>[] signals =
        [
            o => o.Cpu = new(0.5, 0.9), o => o.ThreadPoolDelay = new(1, 2), o => o.Memory = new(0.5, 0.9),
            o => o.Signals.Add(new("backlog", () => 7, new(0, 1))), o => o.Signals.Add(new("backlog", () => 7, new(0, 1))),
        ];
        foreach (Action<LoadShedderOptions> signal in signals)
        {
            LoadShedder overloaded = Shedder(o =>
            {
                signal(o);
                o.DryRun = signal == signals[^1];
            });
            _time.Advance(TimeSpan.FromSeconds(1));
            foreach (Criticality criticality in Enum.GetValues<Criticality>()) await overloaded.EnterAsync(new(criticality));
        }
    }

    private LoadShedder Shedder(Action<LoadShedderOptions> configure)
    {
        LoadShedderOptions options = new() { Name = "shedder", Cpu = null, ThreadPoolDelay = null, Memory = null };
        (options.Limit.MinLimit, options.Limit.InitialLimit, options.Limit.QueueFollowsLimit, options.Limit.MaxQueued) = (1, 1, false, 0);
        configure(options);
        LoadShedder shedder = new(options, PolicyEnvironment.Standalone("shedder", _time), new Busy(_time));
        _alive.Add(shedder);
        return shedder;
    }

    /// <summary>A process that is busy in every way.</summary>
    private sealed class Busy(TimeProvider time) : ProcessReadings
    {
        internal override TimeSpan ProcessorTime => time.GetUtcNow() - DateTimeOffset.UnixEpoch;

        internal override int Processors => 1;

        internal override double MemoryLoad => 1;

        internal override void Queue(IThreadPoolWorkItem work)
        {
        }
    }

    private async Task ChaosAsync()
    {
        ResiliencePipeline pipeline = New("chaos").AddChaos(o => (o.IsOn, o.EnvironmentName, o.Rates) = (true, "Development", new() { Fault = 1 })).Build();
        (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Failure);
    }

    private static async Task ReloadsAsync()
    {
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("P:AttemptTimeout", "00:00:01")]).Build();
        ServiceCollection services = new();
        services.AddSingleton<IConfiguration>(configuration).AddResilience().AddPipeline("reloaded", "P");
        await using ServiceProvider container = services.BuildServiceProvider();
        container.GetRequiredKeyedService<ResiliencePipeline>("reloaded");
        configuration["P:AttemptTimeout"] = "00:00:02";
        configuration.Reload();
    }

    /// <summary>A store that fails when it is told to.</summary>
    private sealed class FaultyStore(IIdempotencyStore inner) : IIdempotencyStore
    {
        internal bool Fails { get; set; }

        internal bool LosesClaims { get; set; }

        public IdempotencyStoreTraits Traits => inner.Traits;

        public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) =>
            Fails ? throw new IdempotencyStoreException(IdempotencyStoreFault.Unavailable, "away") : inner.TryAcquireAsync(request, cancellationToken);

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) =>
            LosesClaims ? new(false) : inner.RenewAsync(id, fence, lease, cancellationToken);

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) =>
            LosesClaims ? new(false) : inner.CompleteAsync(id, fence, outcome, payload, retention, cancellationToken);

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) =>
            inner.ReleaseAsync(id, fence, cancellationToken);

        public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => inner.PeekAsync(id, cancellationToken);

        public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => inner.PurgeAsync(max, cancellationToken);
    }
}
