namespace Resilience;

/// <summary>A moment.</summary>
/// <param name="Layout">The layout that the ids belong to.</param>
/// <param name="Tick">Counts the points of the charts.</param>
/// <param name="At">When.</param>
/// <param name="Viewers">How many look.</param>
/// <param name="Pipelines">In the order of the layout.</param>
/// <param name="Recent">What happened since the state before.</param>
internal sealed record DashboardState(
    long Layout, long Tick, DateTimeOffset At, int Viewers, IReadOnlyList<PipelineNow> Pipelines, IReadOnlyList<RecentEntry> Recent);
