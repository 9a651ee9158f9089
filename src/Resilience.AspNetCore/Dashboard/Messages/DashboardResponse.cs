namespace Resilience;

/// <summary>What came of it.</summary>
internal sealed record DashboardResponse(string Said)
{
    /// <summary>The fence of a record that can be decided about; null when there is nothing to decide.</summary>
    public long? Fence { get; init; }
}
