using Resilience.Overload;

namespace Resilience;

/// <summary>What reasons and decisions are called in tags.</summary>
internal static class AdaptiveLimitNames
{
    internal static string Of(AdaptiveLimitReason why) => why switch
    {
        AdaptiveLimitReason.NoPlace => "limit",
        AdaptiveLimitReason.QueueFull => "queue_full",
        AdaptiveLimitReason.WaitedTooLong => "waited_too_long",
        AdaptiveLimitReason.Standing => "standing",
        _ => "evicted",
    };

    internal static string Of(LimitDecision decision) => decision switch
    {
        LimitDecision.Grow => "grow",
        LimitDecision.SlowStart => "slow_start",
        LimitDecision.Shrink => "shrink",
        LimitDecision.Signal => "signal",
        LimitDecision.Idle => "idle",
        LimitDecision.Probe => "probe",
        LimitDecision.ProbeEnded => "probe_ended",
        LimitDecision.Floor => "floor",
        LimitDecision.Ceiling => "ceiling",
        _ => "hold",
    };
}
