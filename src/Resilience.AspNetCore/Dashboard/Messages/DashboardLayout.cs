namespace Resilience;

/// <summary>What changes rarely: who there is and how it is set. Sent to a new viewer and when it has changed.</summary>
/// <param name="Version">Counts the layouts of a session; a state names the layout that it belongs to.</param>
/// <param name="Title">What stands at the top.</param>
/// <param name="Environment">The name of the environment.</param>
/// <param name="Started">When the process started.</param>
/// <param name="MeasuredSince">Since when calls are measured and counted; null when they are not.</param>
/// <param name="IntervalMs">The time of one point in the charts.</param>
/// <param name="Pipelines">Those that are shown.</param>
/// <param name="Hidden">How many are not.</param>
internal sealed record DashboardLayout(
    long Version,
    string Title,
    string Environment,
    DateTimeOffset Started,
    DateTimeOffset? MeasuredSince,
    long IntervalMs,
    IReadOnlyList<PipelineLayout> Pipelines,
    int Hidden);
