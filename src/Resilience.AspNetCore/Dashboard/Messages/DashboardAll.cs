namespace Resilience;

/// <summary>All that a new viewer needs.</summary>
internal sealed record DashboardAll(DashboardLayout Layout, IReadOnlyList<ChartHistory> History, DashboardState State, bool MayAct);
