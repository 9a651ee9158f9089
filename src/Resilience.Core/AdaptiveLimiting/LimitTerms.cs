using Resilience.Overload;

namespace Resilience;

/// <summary>What the rules of a limit go by: its options, in numbers.</summary>
internal sealed record LimitTerms
{
    internal required double InitialLimit { get; init; }

    internal required double MinLimit { get; init; }

    internal required double MaxLimit { get; init; }

    internal required double WindowMs { get; init; }

    internal required int MinSamples { get; init; }

    internal required double Tolerance { get; init; }

    internal required double ProbeFraction { get; init; }

    internal required double ProbeIntervalMs { get; init; }

    internal required double BackoffFactor { get; init; }

    internal required double OverloadShare { get; init; }

    internal required double SlowShare { get; init; }

    internal static LimitTerms Of(AdaptiveConcurrencyLimitOptions options) => new()
    {
        InitialLimit = options.InitialLimit,
        MinLimit = options.LeastLimit,
        MaxLimit = options.MaxLimit,
        WindowMs = options.Window.TotalMilliseconds,
        MinSamples = options.LeastSamples,
        Tolerance = options.Tolerance,
        ProbeFraction = options.ProbeFraction,
        ProbeIntervalMs = options.ProbeInterval.TotalMilliseconds,
        BackoffFactor = options.BackoffFactor,
        OverloadShare = options.OverloadShare,
        SlowShare = options.SlowShare,
    };
}
