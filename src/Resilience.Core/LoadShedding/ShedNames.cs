using Resilience.Overload;

namespace Resilience;

/// <summary>What reasons are called in tags.</summary>
internal static class ShedNames
{
    internal static string Of(ShedReason reason) => reason switch
    {
        ShedReason.Limit => "limit",
        ShedReason.QueueFull => "queue_full",
        ShedReason.WaitedTooLong => "waited_too_long",
        ShedReason.Standing => "standing",
        ShedReason.Evicted => "evicted",
        ShedReason.Cpu => "cpu",
        ShedReason.ThreadPool => "thread_pool",
        ShedReason.Memory => "memory",
        _ => "signal",
    };
}
