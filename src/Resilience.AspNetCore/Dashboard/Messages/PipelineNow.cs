namespace Resilience;

/// <param name="Id">Which pipeline.</param>
/// <param name="Point">The newest point of its chart; null between the points.</param>
/// <param name="Times">How long its calls took; null between the points.</param>
/// <param name="Policies">In the order of the layout.</param>
internal sealed record PipelineNow(string Id, ChartPoint? Point, LatencyNow? Times, IReadOnlyList<PolicyNow> Policies);
