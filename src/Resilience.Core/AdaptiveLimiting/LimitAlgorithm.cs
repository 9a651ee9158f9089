namespace Resilience.Overload;

/// <summary>From what an <see cref="AdaptiveConcurrencyLimit"/> learns how many calls may run at once.</summary>
public enum LimitAlgorithm
{
    /// <summary>From signs of overload: additive growth, multiplicative decrease. The choice of a client that is one of many: all of them together find
    /// a fair share, because none of them needs to know what the others do.</summary>
    Signals = 0,

    /// <summary>From latency against a baseline that is measured in short probes at a part of the limit. Only where this process is the sole caller or
    /// owns the resource, as a server does: of clients that share a server each measures the queue of the others.</summary>
    Gradient = 1,
}
