namespace Resilience.Overload;

/// <summary>The receipt for one place of an <see cref="AdaptiveConcurrencyLimit"/>. Give it back exactly once, with
/// <see cref="AdaptiveConcurrencyLimit.Leave(LimitPermit, Verdict, bool)"/>.</summary>
/// <remarks>It names the epoch in which the call began; a latency of any other epoch is not counted, because it was measured under another limit.
/// <c>default</c> is a receipt for nothing and is not accepted.</remarks>
public readonly struct LimitPermit
{
    internal readonly LimitEpoch? EpochOfLimit;
    internal readonly long StartTicks; // on the line of the limit, in ticks of 100 ns

    internal LimitPermit(LimitEpoch epoch, long startTicks) => (EpochOfLimit, StartTicks) = (epoch, startTicks);

    /// <summary>The number of the epoch: grows by one when a probe begins and when it ends. 0 for <c>default</c>.</summary>
    public int Epoch => EpochOfLimit?.Number ?? 0;
}
