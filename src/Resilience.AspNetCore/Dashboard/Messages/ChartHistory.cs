namespace Resilience;

/// <param name="Pipeline">The id.</param>
/// <param name="LastTick">The number of the last point.</param>
/// <param name="Points">Oldest first.</param>
internal sealed record ChartHistory(string Pipeline, long LastTick, IReadOnlyList<ChartPoint> Points);
