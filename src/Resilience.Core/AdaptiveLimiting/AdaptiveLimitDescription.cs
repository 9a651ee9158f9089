using System.Globalization;
using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>The options of an adaptive limit as a person reads them.</summary>
internal static class AdaptiveLimitDescription
{
    internal static List<KeyValuePair<string, string>> Of(AdaptiveConcurrencyLimitOptions options)
    {
        List<KeyValuePair<string, string>> described =
        [
            new("algorithm", options.Algorithm.ToString()),
            new("limit", Text($"from {options.InitialLimit}, between {options.LeastLimit} and {options.MaxLimit}")),
            new("window", Text($"{TimeText.Of(options.Window)} with at least {options.LeastSamples} calls")),
            new("overload", Text($"more than {options.OverloadShare * 100:0.##} % of the calls: × {options.BackoffFactor}")),
        ];
        if (options.LatencyTarget is { } target) described.Add(new("slow", Text($"more than {options.SlowShare * 100:0.##} % beyond {TimeText.Of(target)}")));
        if (options.Algorithm == LimitAlgorithm.Gradient)
        {
            described.Add(new("tolerance", Text($"{options.Tolerance} × the latency without load")));
            string often = TimeText.Of(options.ProbeInterval);
            described.Add(new("probe", Text($"at {options.ProbeFraction * 100:0.##} % of the limit, every {often} while calls are rejected")));
        }

        if (options.MaxQueued == 0)
        {
            described.Add(new("queue", "none"));
            described.Add(new("shares", Text($"{options.CriticalShare}, {options.SheddablePlusShare}, {options.SheddableShare}")));
        }
        else
        {
            string places = options.QueueFollowsLimit ? Text($"{options.MaxQueued} or the limit") : Text($"{options.MaxQueued}");
            described.Add(new("queue", $"{places}, up to {TimeText.Of(options.MaxWait)}"));
            described.Add(new("standing", $"after {TimeText.Of(options.StandingAfter)}, then up to {TimeText.Of(options.StandingWait)}"));
        }

        PolicyDescription.AddIfOwn(described, nameof(AdaptiveConcurrencyLimitOptions.IsOverload), options.IsOverload);
        return described;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
