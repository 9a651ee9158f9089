namespace Resilience;

/// <param name="Shown">One without a key, or those of a partitioned breaker that are shown.</param>
/// <param name="Total">How many there are.</param>
/// <param name="IsPartitioned">Whether there is one for each key.</param>
/// <param name="NotClosed">How many are not closed.</param>
internal sealed record CircuitsNow(IReadOnlyList<CircuitNow> Shown, int Total, bool IsPartitioned, int NotClosed);
