namespace Resilience;

/// <summary>What was measured in one interval.</summary>
/// <param name="Calls">Calls that ended.</param>
/// <param name="Failures">Those that failed.</param>
/// <param name="Rejections">Those that were rejected.</param>
/// <param name="Retries">Retries that were scheduled, and hedges that were started.</param>
/// <param name="P50">The median time in milliseconds of those that were not rejected; null when there were none.</param>
/// <param name="P95">The time in milliseconds that 95 % of them did not exceed; null when there were none.</param>
internal readonly record struct ChartPoint(int Calls, int Failures, int Rejections, int Retries, float? P50, float? P95);
