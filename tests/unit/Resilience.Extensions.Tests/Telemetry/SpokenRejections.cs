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
            new(TripRule.FailureRatio, 20, 12), new(TripRule.FailureRatio, 1, 1), new(TripRule.ConsecutiveFailures, 10, 10),
                new(TripRule.ConsecutiveFailures, 1, 1),
            new(TripRule.SlowCalls, 20, 18), new(TripRule.SlowCalls, 1, 1), new(TripRule.ProbeFailed, 0, 0), new(TripRule.ByHand, 0, 0), default,
        ];
        foreach (TripCause cause in causes) yield return Circuit("billing", null, CircuitState.Open, cause, byTime, 3200);
        foreach (TripCause cause in causes[..2]) yield return Circuit("billing", null, CircuitState.Open, cause, byCount, 3200);
        yield return Circuit("", "tenant-7", CircuitState.Open, causes[0], byTime, 0);
        yield return Circuit("billing", null, CircuitState.Open, causes[4], byCount, 3200); // its rule is off by now
        yield return Circuit("billing", null, CircuitState.Open, causes[0], byTime, 36_000_000 * 2L);
        yield return Circuit("billing", null, CircuitState.HalfOpen, causes[0], byTime, 29_000);
        yield return Circuit("billing", null, CircuitState.HalfOpen, causes[3], byCount, 29_000);
        yield return Circuit("billing", null, CircuitState.Closed, causes[0], byTime, 12_500);
        yield return Circuit("billing", "tenant-7", CircuitState.Isolated, causes[7], byTime, Clock.Never);
    }

    private static string Circuit(string pipeline, string? key, CircuitState state, TripCause cause, CircuitBreakerOptions options, long untilMs)
    {
        FakeTimeProvider time = Time();
        PolicyEnvironment environment = Environment(pipeline, "breaker", time);
        long until = untilMs == Clock.Never ? Clock.Never : environment.Clock.NowMs + untilMs;
        return new CircuitRejection(environment, key, state, cause, BreakerSettings.From(options, null, null, 0), until).Reason;
    }

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
