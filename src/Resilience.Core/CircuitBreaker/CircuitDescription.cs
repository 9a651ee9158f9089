using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The options of a circuit breaker as people read them.</summary>
internal static class CircuitDescription
{
    internal static PolicyDescription Of(string policyName, BreakerSettings s)
    {
        List<KeyValuePair<string, string>> options = [];
        string window = s.Shape.Calls > 0 ? $"the last {s.Shape.Calls}" : Show(s.Shape.BucketMs * s.Shape.Buckets);
        if (!double.IsInfinity(s.FailureRatio))
            Add("failure ratio", $"{s.FailureRatio} of at least {s.MinimumCalls} calls in {window} ({s.Shape.Buckets} buckets)");
        if (s.ConsecutiveFailures > 0) Add("consecutive failures", $"{s.ConsecutiveFailures} within {Show(s.ConsecutiveWithinMs)}");
        if (s.SlowCallMs > 0) Add("slow calls", $"{s.SlowCallRatio} of at least {s.MinimumCalls} calls in {window} over {Show(s.SlowCallMs)}");
        Add("break", $"{Show(s.BreakMs)} × {s.BreakGrowth} up to {Show(s.MaxBreakMs)}, less up to {s.BreakJitter:P0} by chance");
        if (s.FollowsRetryAfter) Add("break follows Retry-After", $"yes");
        PolicyDescription.AddIfOwn(options, "break for", s.BreakDurationFor);
        Add("forgiven after", $"{Show(s.BreakDecayMs)}");
        Add("probes", $"{s.Probes}, {s.SuccessThreshold} must succeed, lease {Show(s.ProbeLeaseMs)}");
        if (s.RampMs > 0) Add("ramp", $"from {s.RampFrom:P0} in {Show(s.RampMs)}");
        if (s.IsDryRun) Add("dry run", $"yes");
        PolicyDescription.AddIfOwn(options, "should count", s.ShouldCount);
        return new(policyName, PolicyRole.CircuitBreaker)
        {
            Options = options,
            SamplingWindow = s.Shape.Calls > 0 || double.IsInfinity(s.FailureRatio)
                ? null
                : TimeSpan.FromMilliseconds(s.Shape.BucketMs * s.Shape.Buckets),
        };

        void Add(string name, FormattableString value) => options.Add(new(name, value.ToString(CultureInfo.InvariantCulture)));
        static string Show(long ms) => ms == Clock.Never ? "any time" : TimeText.Of(TimeSpan.FromMilliseconds(ms));
    }

    internal static string NameOf(CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Name ?? options.Kind;
    }
}
