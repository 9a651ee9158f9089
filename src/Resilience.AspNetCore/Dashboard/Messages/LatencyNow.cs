namespace Resilience;

/// <param name="Minute">In the last minute; null when no call ended.</param>
/// <param name="FiveMinutes">In the last five minutes; null when no call ended.</param>
internal sealed record LatencyNow(LatencyQuantiles? Minute, LatencyQuantiles? FiveMinutes);
