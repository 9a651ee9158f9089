namespace Resilience;

/// <summary>Times in milliseconds that half, 95 % and 99 % of the calls did not exceed.</summary>
internal sealed record LatencyQuantiles(float P50, float P95, float P99);
