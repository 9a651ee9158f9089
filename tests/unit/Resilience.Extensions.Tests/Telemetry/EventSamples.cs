namespace Resilience.Tests.Telemetry;

/// <summary>Events as they happen, of each type first one with all its parts, then those in which parts are missing.</summary>
internal static class EventSamples
{
    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(5);
    private static readonly TripCause SixInARow = new(TripRule.ConsecutiveFailures, 6, 6), ByHand = new(TripRule.ByHand, 0, 0);

    internal static async Task<IReadOnlyList<ResilienceEvent>> AllAsync() =>
    [
        .. (await OfCallsAsync()).Concat(OfCircuits()).Concat(OfHedges()).Concat(OfChaos()).Concat(OfRejections()).Concat(OfIdempotency())
            .OrderBy(e => e.GetEventId()),
    ];

    private static async Task<IReadOnlyList<ResilienceEvent>> OfCallsAsync() =>
    [
        new RetryScheduled("orders", "retry", 0, TimeSpan.FromMilliseconds(212.5), "System.TimeoutException",
            AskedFor: false) { Exception = new TimeoutException(), AttemptDuration = Seconds },
        new RetryScheduled("orders", "retry", 1, TimeSpan.FromSeconds(2), "503", AskedFor: true),
        .. await RetriesAsync(),
        .. Enum.GetValues<RetryStopReason>().Select(cause => new RetryStopped("orders", "retry", 2, cause, "503")), // made without a sentence
        new CallTimedOut("orders", "timeout", Seconds, 1, IsAbandoned: true),
        new CallTimedOut("orders", "timeout", Seconds, 1, IsAbandoned: false),
        new FallbackUsed("orders", "fallback", Verdict.Failure, FallbackSource.LastGood, TimeSpan.FromMinutes(2)),
        new FallbackUsed("orders", "fallback", Verdict.Failure, FallbackSource.Call, null),
        new FallbackUsed("orders", "fallback", Verdict.Rejected, FallbackSource.Value, null),
        new FallbackFailed("orders", "fallback", Verdict.Failure, new IOException("cache is gone")),
        new FallbackFailed("orders", "fallback", Verdict.Rejected, new IOException("cache is gone")),
        new RuleVerdictIgnored("orders", Verdict.Rejected, IsResult: true),
        new RuleVerdictIgnored("orders", Verdict.Success, IsResult: false),
    ];

    /// <summary>Each change that the breaker can make, each rule, with and without a key.</summary>
    private static IEnumerable<ResilienceEvent> OfCircuits()
    {
        yield return Changed(CircuitState.Closed, CircuitState.Open, SixInARow, Seconds, "eu") with { LastException = new IOException("cut off") };
        yield return Changed(CircuitState.Closed, CircuitState.Open, SixInARow, Seconds, null) with { LastResult = "503" };
        yield return Changed(CircuitState.Closed, CircuitState.Open, new(TripRule.FailureRatio, 20, 12), TimeSpan.FromMinutes(2), null);
        yield return Changed(CircuitState.Closed, CircuitState.Open, new(TripRule.SlowCalls, 20, 18), Seconds, null);
        yield return Changed(CircuitState.Open, CircuitState.HalfOpen, SixInARow, null, "eu");
        yield return Changed(CircuitState.HalfOpen, CircuitState.Open, new(TripRule.ProbeFailed, 0, 0), Seconds, "eu");
        yield return Changed(CircuitState.HalfOpen, CircuitState.Closed, SixInARow, null, null);
        foreach (CircuitState from in (CircuitState[])[CircuitState.Closed, CircuitState.Open, CircuitState.HalfOpen])
            yield return Changed(from, CircuitState.Isolated, ByHand, null, "eu");
        foreach (CircuitState from in (CircuitState[])[CircuitState.Open, CircuitState.HalfOpen, CircuitState.Isolated])
            yield return Changed(from, CircuitState.Closed, ByHand, null, null);
    }

    private static IEnumerable<ResilienceEvent> OfHedges() =>
    [
        new HedgeStarted("orders", "hedging", 1, 1, "slow"),
        new HedgeSkipped("orders", "hedging", 1, HedgeSkipReason.NotAllowed) { Detail = "POST without Idempotency-Key is not repeated" },
        .. Enum.GetValues<HedgeSkipReason>().Select(cause => new HedgeSkipped("orders", "hedging", 1, cause)),
        new HedgeWon("orders", "hedging", 1, 1),
        .. Enum.GetValues<EjectionReason>().Select(reason => new EndpointEjected("orders", "endpoints", 2, reason, TimeSpan.FromSeconds(30))),
        new EndpointEjected("orders", "endpoints", 2, EjectionReason.Slow, TimeSpan.FromSeconds(30)) { Address = new("http://10.0.0.1") },
        new EndpointReadmitted("orders", "endpoints", 2),
        new EndpointReadmitted("orders", "endpoints", 2) { Address = new("http://10.0.0.1") },
    ];

    private static IEnumerable<ResilienceEvent> OfChaos() =>
    [
        new ChaosSwitched("orders", "chaos", true, new() { Fault = 0.1 }, 42, TimeSpan.FromMinutes(5), "Staging"),
        new ChaosSwitched("orders", "chaos", true, new() { Fault = 0.1 }, 42, null, "Staging"),
        new ChaosSwitched("orders", "chaos", false, default, 42, null, "Staging"),
        new LimitAdapted("orders", "adaptive-limit", 20, 40, TimeSpan.FromMilliseconds(82), TimeSpan.FromMilliseconds(50)),
        new LimitAdapted("orders", "adaptive-limit", 40, 36, null, null),
        new LimitAdapted("orders", "adaptive-limit", 5, 4, TimeSpan.FromMilliseconds(8.25), null) { IsAtFloor = true },
        new LimitAdapted("orders", "adaptive-limit", 900, 1000, TimeSpan.FromMilliseconds(82), TimeSpan.FromMilliseconds(50)) { IsAtCeiling = true },
        new ChaosInjected("orders", "chaos", ChaosKind.Latency, 7, TimeSpan.FromMilliseconds(300), 0),
        .. Enum.GetValues<ChaosKind>().Where(kind => kind != ChaosKind.Latency).Select(kind => new ChaosInjected("orders", "chaos", kind, 8, null, 1)),
    ];

    /// <summary>A rejection in each of its kinds; docs/spoken-texts.txt has each with and without its parts.</summary>
    private static IEnumerable<ResilienceEvent> OfRejections()
    {
        (CircuitAdmission Entry, CircuitState State)[] circuits =
        [
            (CircuitAdmission.RejectedOpen, CircuitState.Open), (CircuitAdmission.RejectedProbesTaken, CircuitState.HalfOpen),
            (CircuitAdmission.RejectedRamping, CircuitState.Closed), (CircuitAdmission.RejectedIsolated, CircuitState.Isolated),
        ];
        foreach ((CircuitAdmission entry, CircuitState state) in circuits)
            yield return new CircuitRejected("orders", "circuit-breaker", entry, SpokenRejections.OfCircuit("orders", "circuit-breaker", state));
        yield return new CircuitRejected("orders", "circuit-breaker", CircuitAdmission.RejectedOpen,
            SpokenRejections.OfCircuit("orders", "circuit-breaker", CircuitState.Open, "tenant-7"));
        yield return new CircuitRejected("orders", "circuit-breaker", CircuitAdmission.AdmittedInDryRun, null);
        foreach (LimitReason why in Enum.GetValues<LimitReason>())
            yield return new LimitReached("orders", "concurrency-limit", SpokenRejections.OfLimit("orders", "concurrency-limit", why));
        yield return new RateLimitReached("orders", "rate-limiter", SpokenRejections.OfRateLimiter("orders", "rate-limiter", TimeSpan.FromMinutes(1), null));
        yield return new RateLimitReached("orders", "rate-limiter", SpokenRejections.OfRateLimiter("orders", "rate-limiter", null, "Queue limit reached"));
        foreach (Criticality criticality in Enum.GetValues<Criticality>())
            yield return new CallThrottled("orders", "adaptive-throttle", SpokenRejections.OfThrottle("orders", "adaptive-throttle", criticality));
        foreach (AdaptiveLimitReason why in Enum.GetValues<AdaptiveLimitReason>())
        {
            yield return new AdaptiveLimitReached(
                "orders", "adaptive-limit", SpokenRejections.OfAdaptiveLimit("orders", "adaptive-limit", why, Criticality.Critical));
        }

        foreach (Criticality criticality in Enum.GetValues<Criticality>())
        {
            yield return new AdaptiveLimitReached(
                "orders", "adaptive-limit", SpokenRejections.OfAdaptiveLimit("orders", "adaptive-limit", AdaptiveLimitReason.NoPlace, criticality));
        }

        foreach (ShedReason why in Enum.GetValues<ShedReason>())
            yield return new RequestShed("", "load-shedding", SpokenRejections.OfShedder("load-shedding", why), false);
        foreach (Criticality criticality in Enum.GetValues<Criticality>())
            yield return new RequestShed("", "load-shedding", SpokenRejections.OfShedder("load-shedding", ShedReason.Cpu, criticality), true);
        foreach (bool isDryRun in (bool[])[false, true])
        {
            foreach (ShedReason why in Enum.GetValues<ShedReason>())
                yield return new SheddingBegan("", "load-shedding", SpokenRejections.OfShedder("load-shedding", why, (Criticality)((int)why % 4)), isDryRun);
            yield return new SheddingEnded("", "load-shedding", 4711, TimeSpan.FromSeconds(93), isDryRun);
        }

        foreach (IdempotencyRejectionReason why in Enum.GetValues<IdempotencyRejectionReason>())
            yield return new IdempotencyRejected("orders", "idempotency", SpokenRejections.OfIdempotency("orders", "idempotency", why));
    }

    private static IEnumerable<ResilienceEvent> OfIdempotency() =>
    [
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.Claimed, 2),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.Claimed, 1),
        .. Enum.GetValues<IdempotencyStatus>().Except([IdempotencyStatus.None, IdempotencyStatus.Claimed, IdempotencyStatus.StoreUnavailable])
            .Select(status => new IdempotencyChecked("", "idempotency", "3f9a0c12", status, 0)),
        new IdempotencyChecked("", "idempotency", "3f9a0c12", IdempotencyStatus.StoreUnavailable, 0) { Error = Fault() },
        new IdempotencyClaimLost("", "idempotency", "3f9a0c12", 17) { Error = Fault() },
        new IdempotencyClaimLost("", "idempotency", "3f9a0c12", 17),
        .. ((string[])["renew", "complete", "release", "withdraw"])
            .Select(task => new IdempotencyStoreFailed("", "idempotency", task, Fault()) { Id = "3f9a0c12" }),
        new IdempotencyStoreFailed("", "idempotency", "purge", Fault()),
        new IdempotencyOutcomeNotKept("", "idempotency", "3f9a0c12", IdempotencyFinish.StoreFailed, Fault()),
        new IdempotencyOutcomeNotKept("", "idempotency", "3f9a0c12", IdempotencyFinish.Lost, null),
    ];

    private static CircuitChanged Changed(CircuitState from, CircuitState to, TripCause cause, TimeSpan? lasts, string? key) =>
        new("orders", "circuit-breaker", from, to, 2, cause, lasts) { Key = key };

    private static IdempotencyStoreException Fault() => new(IdempotencyStoreFault.Unavailable, "PostgreSQL could not be asked about keys: connection refused");

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

    /// <summary>Why retrying stops, told by the policy itself, for each cause.</summary>
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
        await CallAsync(
            o => (o.BaseDelay, o.Jitter) = (TimeSpan.FromSeconds(30), BackoffJitter.None), _ => throw new IOException(), deadline: TimeSpan.FromSeconds(20));
        await CallAsync(
            _ => { }, _ => throw new IOException(), more: b => b.Classifier = OutcomeClassifier.Default.On<IOException>(Classification.Permanent));
        await CallAsync(
            _ => { },
            _ => throw new IOException(),
            inside: b => b.AddRetry(o => (o.Name, o.BudgetOptions) = ("inner-retry", new() { Ratio = 0, MinRetriesPerSecond = 0 })));
        return stopped.Where(s => s.PolicyName == "retry");

        async Task CallAsync(
            Action<RetryOptions> configure, Func<ResilienceContext, ValueTask<int>> callback, TimeSpan? retryAfter = null, TimeSpan? deadline = null,
            Action<ResiliencePipelineBuilder>? more = null, Action<ResiliencePipelineBuilder>? inside = null)
        {
            ResiliencePipelineBuilder builder = new() { Name = "orders", TimeProvider = new Microsoft.Extensions.Time.Testing.FakeTimeProvider() };
            more?.Invoke(builder);
            builder.OnEvent(e => stopped.AddRange(new[] { e }.OfType<RetryStopped>())).AddRetry(o =>
            {
                (o.BaseDelay, o.RetryAfter) = (TimeSpan.Zero, _ => retryAfter);
                configure(o);
            });
            inside?.Invoke(builder);
            await builder.Build().TryExecuteAsync(new() { Deadline = deadline }, static (context, run) => run(context), callback);
        }
    }
}
