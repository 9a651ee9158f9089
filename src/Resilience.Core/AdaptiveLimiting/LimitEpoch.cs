using Resilience.Overload;

namespace Resilience;

/// <summary>A stretch of time in which latencies may be compared: one outside of probes, or one probe. Permits hold it, so that a late sample is known by
/// its reference, and a permit of another limit too.</summary>
internal sealed class LimitEpoch(AdaptiveConcurrencyLimit owner, int number)
{
    internal AdaptiveConcurrencyLimit Owner => owner;

    internal int Number => number;
}
