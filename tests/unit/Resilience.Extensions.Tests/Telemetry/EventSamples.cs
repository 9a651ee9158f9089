using System.Threading.RateLimiting;

namespace Resilience.Tests.Telemetry;

/// <summary>Events as they happen, of each type first one with all its parts, then those in which parts are missing.</summary>
internal static class EventSamples
{
    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(5);
    private static readonly TripCause SixInARow = new(TripRule.ConsecutiveFailures, 6, 6), ByHand = new(TripRule.ByHand, 0, 0);

    internal static async Task<IReadOnlyList<ResilienceEvent>> AllAsync() =>
    [
        new RetryScheduled("orders", "retry", 0, TimeSpan.FromMilliseconds(212.5), "System.TimeoutException",
            AskedFor: false) { Exception = new TimeoutException(), AttemptDuration = Seconds },
        new RetryScheduled("orders", "retry", 1, TimeSpan.FromSeconds(2), "503", AskedFor: true),
        .. await RetriesAsync(),
        new RetryStopped("orders", "retry", 2, RetryStopReason.Budget, "System.TimeoutException"),
        Changed(CircuitState.Closed, CircuitState.Open, SixInARow, Seconds, "eu") with { LastException = new IOException("cut off") },
        Changed(CircuitState.Closed, CircuitState.Open, SixInARow, Seconds, null) with { LastResult = "503" },
        Changed(CircuitState.Open, CircuitState.HalfOpen, SixInARow, null, "eu"),
        Changed(CircuitState.HalfOpen, CircuitState.Closed, SixInARow, null, null),
        Changed(CircuitState.Open, CircuitState.Closed, ByHand, null, null),
        Changed(CircuitState.Closed, CircuitState.Isolated, ByHand, null, "eu"),
        new CircuitRejected("orders", "circuit-breaker", CircuitAdmission.RejectedIsolated,
            (CircuitRejection)await RejectedAsync(b => b.AddCircuitBreaker(Isolated()))),
        new CircuitRejected("orders", "circuit-breaker", CircuitAdmission.AdmittedInDryRun, null),
        new CallTimedOut("orders", "timeout", Seconds, 1, IsAbandoned: true),
        new CallTimedOut("orders", "timeout", Seconds, 1, IsAbandoned: false),
        new FallbackUsed("orders", "fallback", Verdict.Failure, FallbackSource.LastGood, TimeSpan.FromMinutes(2)),
        new FallbackUsed("orders", "fallback", Verdict.Rejected, FallbackSource.Value, null),
        new FallbackFailed("orders", "fallback", Verdict.Failure, new IOException("cache is gone")),
        new LimitReached("orders", "concurrency-limit", (LimitRejection)await RejectedAsync(b => b.AddConcurrencyLimit(1))),
        new RateLimitReached("orders", "rate-limiter", (RateLimitRejection)await RejectedAsync(b => b.AddRateLimiter(Window()))),
        new CallThrottled("orders", "adaptive-throttle", (ThrottleRejection)await RejectedAsync(b => b.AddAdaptiveThrottle(Failing()))),
        new RateLimitReached("orders", "rate-limiter", (RateLimitRejection)await RejectedAsync(b => b.AddRateLimiter(OnePermit()))),
        new HedgeStarted("orders", "hedging", 1, 1, "slow"),
        new HedgeSkipped("orders", "hedging", 1, HedgeSkipReason.NotAllowed) { Detail = "POST without Idempotency-Key is not repeated" },
        new HedgeSkipped("orders", "hedging", 1, HedgeSkipReason.Budget),
        new HedgeWon("orders", "hedging", 1, 1),
        new ChaosSwitched("orders", "chaos", true, new() { Fault = 0.1 }, 42, TimeSpan.FromMinutes(5), "Staging"),
        new ChaosSwitched("orders", "chaos", true, new() { Fault = 0.1 }, 42, null, "Staging"),
        new ChaosSwitched("orders", "chaos", false, default, 42, null, "Staging"),
        new ChaosInjected("orders", "chaos", ChaosKind.Latency, 7, TimeSpan.FromMilliseconds(300), 0),
        new ChaosInjected("orders", "chaos", ChaosKind.Fault, 8, null, 1),
        new IdempotencyRejected("orders", "idempotency", (IdempotencyRejection)await RejectedAsync(b => b.AddIdempotency(new IdempotencyGate()))),
        new RuleVerdictIgnored("orders", Verdict.Rejected, IsResult: true),
        new RuleVerdictIgnored("orders", Verdict.Success, IsResult: false),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.Claimed, 2),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.Claimed, 1),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.OutcomeUnknown, 0),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.StoreUnavailable, 0) { Error = Fault() },
        new IdempotencyClaimLost("", "idempotency", "3f9a0c12", 17) { Error = Fault() },
        new IdempotencyClaimLost("", "idempotency", "3f9a0c12", 17),
        new IdempotencyStoreFailed("", "idempotency", "renew", Fault()),
        new IdempotencyOutcomeNotKept("", "idempotency", "3f9a0c12", IdempotencyFinish.StoreFailed, Fault()),
        new IdempotencyOutcomeNotKept("", "idempotency", "3f9a0c12", IdempotencyFinish.Lost, null),
    ];

    private static CircuitChanged Changed(CircuitState from, CircuitState to, TripCause cause, TimeSpan? lasts, string? key) =>
        new("orders", "circuit-breaker", from, to, 2, cause, lasts) { Key = key };

    private static IdempotencyStoreException Fault() => new(IdempotencyStoreFault.Unavailable, "PostgreSQL could not be asked about keys: connection refused");

    private static CircuitBreaker Isolated()
    {
        CircuitBreaker breaker = new(new(), new Microsoft.Extensions.Time.Testing.FakeTimeProvider());
        breaker.Isolate();
        return breaker;
    }

    internal static AdaptiveThrottle Failing()
    {
        Microsoft.Extensions.Time.Testing.FakeTimeProvider time = new();
        AdaptiveThrottle throttle = new(new(), time, new Lowest());
        for (int i = 0; i < 200; i++) throttle.Record(Criticality.Critical, isAccepted: i % 4 == 0);
        time.Advance(TimeSpan.FromSeconds(1));
        return throttle;
    }

    private sealed class Lowest : Randomness
    {
        public override double NextDouble() => 0;
    }

    private static ConcurrencyLimiter OnePermit() => new(new() { PermitLimit = 1 });

    private static FixedWindowRateLimiter Window() =>
        new(new() { PermitLimit = 1, Window = TimeSpan.FromMinutes(1), AutoReplenishment = false });

    /// <summary>Why retrying stops, told by the policy itself: for each cause that can be brought about here.</summary>
    private static async Task<IEnumerable<RetryStopped>> RetriesAsync()
    {
        List<RetryStopped> stopped = [];
        await CallAsync(o => o.MaxRetries = 1, _ => throw new TimeoutException());
        await CallAsync(o => (o.MaxRetries, o.BudgetOptions) = (3, new() { Ratio = 0, MinRetriesPerSecond = 0 }), _ => throw new TimeoutException());
        await CallAsync(o => o.ShouldRetry = _ => false, _ => throw new IOException());
        await CallAsync(o => o.MaxRetryAfter = TimeSpan.FromSeconds(1), _ => throw new IOException(), TimeSpan.FromSeconds(600));
        await CallAsync(
            _ => { },
            context =>
            {
                context.ForbidRetry("POST without Idempotency-Key is not repeated");
                throw new IOException();
            });
        return stopped;

        async Task CallAsync(Action<RetryOptions> configure, Func<ResilienceContext, ValueTask<int>> callback, TimeSpan? retryAfter = null)
        {
            ResiliencePipelineBuilder builder = new() { Name = "orders", TimeProvider = new Microsoft.Extensions.Time.Testing.FakeTimeProvider() };
            builder.OnEvent(e => stopped.AddRange(new[] { e }.OfType<RetryStopped>())).AddRetry(o =>
            {
                (o.BaseDelay, o.RetryAfter) = (TimeSpan.Zero, _ => retryAfter);
                configure(o);
            });
            await builder.Build().TryExecuteAsync(default, static (context, run) => run(context), callback);
        }
    }

    /// <summary>A rejection explains itself with what it was made from, so it must be a real one.</summary>
    internal static async Task<Rejection> RejectedAsync(Action<ResiliencePipelineBuilder> add)
    {
        ResiliencePipelineBuilder builder = new() { Name = "orders", TimeProvider = new Microsoft.Extensions.Time.Testing.FakeTimeProvider() };
        add(builder);
        ResiliencePipeline pipeline = builder.Build();
        Rejection? inner = null;
        Outcome<int> outer = await pipeline.TryExecuteAsync(async token =>
        {
            inner = (await pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1), token)).Rejection; // the one place is taken
            return 1;
        });
        return outer.Rejection ?? inner!;
    }
}
