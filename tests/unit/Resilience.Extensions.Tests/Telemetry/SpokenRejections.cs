using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Telemetry;

/// <summary>Each kind of rejection, in each of its states, with and without the parts that can be missing.</summary>
internal static class SpokenRejections
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 14, 12, 0, 3, TimeSpan.Zero);

    private static FakeTimeProvider Time() => new(Noon);

    private static PolicyEnvironment Environment(string pipeline, string policy, FakeTimeProvider time) =>
        new(pipeline, policy, Clock.For(time), Randomness.Seeded(1), OutcomeClassifier.Default, [], ResilienceTelemetry.Meter);

    internal static IEnumerable<string> OfCircuits()
    {
        CircuitBreakerOptions byTime = new()
        {
            ConsecutiveFailures = 10,
            ConsecutiveFailuresWithin = TimeSpan.FromSeconds(5),
            SlowCallThreshold = TimeSpan.FromSeconds(2),
            Probes = 2,
            RampDuration = TimeSpan.FromSeconds(20),
        };
        CircuitBreakerOptions byCount = new() { SamplingCalls = 100, Probes = 1 };
        TripCause[] causes =
        [
            new(TripRule.FailureRatio, 20, 12), new(TripRule.FailureRatio, 1, 1), new(TripRule.ConsecutiveFailures, 10, 10), new(TripRule.SlowCalls, 20, 18),
            new(TripRule.SlowCalls, 1, 1), new(TripRule.ProbeFailed, 0, 0), default,
        ];
        foreach (TripCause cause in causes) yield return Circuit("billing", null, CircuitState.Open, cause, byTime, 3200);
        foreach (TripCause cause in causes[..2]) yield return Circuit("billing", null, CircuitState.Open, cause, byCount, 3200);
        yield return Circuit("", "tenant-7", CircuitState.Open, causes[0], byTime, 0);
        CircuitBreakerOptions strict = new() { ConsecutiveFailures = 1, FailureRatio = 0.9 };
        yield return Circuit("billing", null, CircuitState.Open, new(TripRule.ConsecutiveFailures, 1, 1), strict, 3200);
        yield return Circuit("billing", null, CircuitState.Open, causes[0], strict, 3200); // its rule has another limit by now
        yield return Circuit("billing", null, CircuitState.Open, new(TripRule.ConsecutiveFailures, 6, 6), byTime, 3200);
        yield return Circuit("billing", null, CircuitState.Open, causes[3], byCount, 3200); // its rule is off by now
        yield return Circuit("billing", null, CircuitState.Open, causes[0], byTime, 36_000_000 * 2L);
        yield return Circuit("billing", null, CircuitState.HalfOpen, causes[0], byTime, 29_000);
        yield return Circuit("billing", null, CircuitState.HalfOpen, new(TripRule.ConsecutiveFailures, 4, 4), byCount, 29_000);
        yield return Circuit("billing", null, CircuitState.Closed, causes[0], byTime, 12_500);
        yield return Circuit("billing", "tenant-7", CircuitState.Isolated, new(TripRule.ByHand, 0, 0), byTime, Clock.Never);
    }

    private static string Circuit(string pipeline, string? key, CircuitState state, TripCause cause, CircuitBreakerOptions options, long untilMs)
    {
        FakeTimeProvider time = Time();
        PolicyEnvironment environment = Environment(pipeline, "breaker", time);
        long until = untilMs == Clock.Never ? Clock.Never : environment.Clock.NowMs + untilMs;
        return new CircuitRejection(environment, key, state, cause, BreakerSettings.From(options, null, null, 0), until).Reason;
    }

    internal static CircuitRejection OfCircuit(string pipeline, string policy, CircuitState state, string? key = null)
    {
        PolicyEnvironment environment = Environment(pipeline, policy, Time());
        CircuitBreakerOptions options = new() { ConsecutiveFailures = 6, RampDuration = TimeSpan.FromSeconds(20) };
        TripCause cause = state == CircuitState.Isolated ? new(TripRule.ByHand, 0, 0) : new(TripRule.ConsecutiveFailures, 6, 6);
        long until = state == CircuitState.Isolated ? Clock.Never : environment.Clock.NowMs + 3200;
        return new(environment, key, state, cause, BreakerSettings.From(options, null, null, 0), until);
    }

    internal static LimitRejection OfLimit(string pipeline, string policy, LimitReason why) =>
        new(Environment(pipeline, policy, Time()), why, 10, 5, TimeSpan.FromMilliseconds(300));

    internal static RateLimitRejection OfRateLimiter(string pipeline, string policy, TimeSpan? retryAfter, string? said) =>
        new(Environment(pipeline, policy, Time()), 1, retryAfter, said);

    internal static ThrottleRejection OfThrottle(string pipeline, string policy, Criticality criticality) =>
        new(Environment(pipeline, policy, Time()), criticality, 0.476, 200, 50);

    internal static ShedRejection OfShedder(string policy, ShedReason why, Criticality criticality = Criticality.SheddablePlus)
    {
        ShedRejections rejections = new(Environment("", policy, Time()));
        AdaptiveLimitReason? limit = why switch
        {
            ShedReason.Limit => AdaptiveLimitReason.NoPlace,
            ShedReason.QueueFull => AdaptiveLimitReason.QueueFull,
            ShedReason.WaitedTooLong => AdaptiveLimitReason.WaitedTooLong,
            ShedReason.Standing => AdaptiveLimitReason.Standing,
            ShedReason.Evicted => AdaptiveLimitReason.Evicted,
            _ => null,
        };
        if (limit is { } reached)
        {
            return rejections.Of(criticality, false, new AdaptiveLimitRejection(
                Environment("", policy, Time()), reached, criticality, 31, TimeSpan.FromMilliseconds(82), TimeSpan.FromMilliseconds(50)));
        }

        double value = why switch
        {
            ShedReason.Cpu => 0.91,
            ShedReason.ThreadPool => 134,
            ShedReason.Memory => 0.97,
            _ => 512.5,
        };
        return rejections.Of(why, criticality, false, new(0.63, why, "backlog", value));
    }

    internal static IEnumerable<string> OfShedders() => Enum.GetValues<ShedReason>().Select(why => OfShedder("load-shedding", why).Reason);

    internal static IdempotencyRejection OfIdempotency(string pipeline, string policy, IdempotencyRejectionReason why) =>
        new(pipeline, policy, why, Time(), why == IdempotencyRejectionReason.KeyMissing ? "" : "3f9a0c12", null,
            why == IdempotencyRejectionReason.StoreUnavailable ? new IOException("Connection refused.") : null);

    internal static IEnumerable<string> OfLimits()
    {
        PolicyEnvironment environment = Environment("billing", "limit", Time());
        yield return new LimitRejection(environment, LimitReason.QueueFull, 10, 5, TimeSpan.FromSeconds(1)).Reason;
        yield return new LimitRejection(environment, LimitReason.QueueFull, 1, 0, TimeSpan.FromSeconds(1)).Reason;
        yield return new LimitRejection(environment, LimitReason.WaitedTooLong, 10, 5, TimeSpan.FromMilliseconds(300)).Reason;
        yield return new LimitRejection(Environment("", "limit", Time()), LimitReason.QueueFull, 10, 0, default).Reason;
    }

    internal static IEnumerable<string> OfThrottles()
    {
        yield return new ThrottleRejection(Environment("search", "adaptive-throttle", Time()), Criticality.Sheddable, 0.4545, 100, 25).Reason;
        yield return new ThrottleRejection(Environment("", "search", Time()), Criticality.CriticalPlus, 1 / 11.0, 1, 0).Reason;
        yield return new ThrottleRejection(Environment("", "search", Time()), Criticality.Critical, 0.9, 200, 0).Reason;
        yield return new ThrottleRejection(Environment("", "search", Time()), Criticality.SheddablePlus, 0.1, 1, 1).Reason;
    }

    internal static AdaptiveLimitRejection OfAdaptiveLimit(string pipeline, string policy, AdaptiveLimitReason why, Criticality criticality) =>
        new(Environment(pipeline, policy, Time()), why, criticality, 31, TimeSpan.FromMilliseconds(82), TimeSpan.FromMilliseconds(50));

    internal static IEnumerable<string> OfAdaptiveLimits()
    {
        foreach (AdaptiveLimitReason why in Enum.GetValues<AdaptiveLimitReason>())
            yield return OfAdaptiveLimit("api", "load", why, Criticality.Sheddable).Reason;
        PolicyEnvironment environment = Environment("", "search", Time());
        yield return new AdaptiveLimitRejection(environment, AdaptiveLimitReason.NoPlace, Criticality.CriticalPlus, 1, null, null).Reason;
        yield return new AdaptiveLimitRejection(environment, AdaptiveLimitReason.NoPlace, Criticality.Critical, 20, TimeSpan.FromMilliseconds(8.25), null).Reason;
    }

    internal static IEnumerable<string> OfRateLimiters()
    {
        PolicyEnvironment environment = Environment("partner", "rate-limiter", Time());
        yield return new RateLimitRejection(environment, 1, TimeSpan.FromSeconds(2.5), null).Reason;
        yield return new RateLimitRejection(environment, 5, TimeSpan.FromSeconds(2.5), "the queue is full").Reason;
        yield return new RateLimitRejection(environment, 1, null, "").Reason;
        yield return new RateLimitRejection(environment, 5, TimeSpan.Zero, null).Reason;
    }

    internal static IEnumerable<string> OfIdempotency()
    {
        foreach (IdempotencyRejectionReason why in Enum.GetValues<IdempotencyRejectionReason>())
        {
            string id = why == IdempotencyRejectionReason.KeyMissing ? "" : "9f86d081884c";
            Exception? cause = why == IdempotencyRejectionReason.StoreUnavailable ? new IOException("Connection refused.") : null;
            yield return Said(why, id, null, cause);
            yield return Said(why, id, TimeSpan.FromSeconds(7), cause);
        }

        yield return Said(IdempotencyRejectionReason.StoreUnavailable, "9f86d081884c", TimeSpan.FromSeconds(1), null);
        yield return Said(IdempotencyRejectionReason.StoreUnavailable, "9f86d081884c", null, new IOException(""));
    }

    private static string Said(IdempotencyRejectionReason why, string id, TimeSpan? wait, Exception? cause) =>
        new IdempotencyRejection("orders", "idempotency", why, Time(), id, wait, cause).Reason;

    internal static IEnumerable<string> OfTimeouts() =>
        from time in (TimeSpan[])[TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5)]
        from name in (string[])["timeout", "billing/total"]
        select new TimedOutException(name, time).Message;
}
