using Resilience.Overload;

namespace Resilience;

/// <summary>What an update of the options replaces.</summary>
internal sealed record LimitSetup(
    AdaptiveConcurrencyLimitOptions Options, LimitRules Rules, QueueTerms Queue, LimitShares Shares, long LatencyTargetTicks)
{
    internal static LimitSetup Of(AdaptiveConcurrencyLimitOptions options) => new(
        options,
        LimitRules.Of(options.Algorithm, LimitTerms.Of(options)),
        new(options.MaxQueued, options.QueueFollowsLimit, options.MaxWait.Ticks, options.StandingAfter.Ticks, options.StandingWait.Ticks),
        options.MaxQueued > 0 ? LimitShares.Whole : new(options.CriticalShare, options.SheddablePlusShare, options.SheddableShare),
        options.LatencyTarget?.Ticks ?? long.MaxValue);
}
