namespace Resilience;

/// <summary>A circuit and its window.</summary>
internal sealed record CircuitNow(string Id, string? Key, string State, long Epoch)
{
    public long InStateMs { get; init; }

    public int Calls { get; init; }

    public int Failures { get; init; }

    public int SlowCalls { get; init; }

    public int OverdueCalls { get; init; }

    public int ConsecutiveFailures { get; init; }

    public int ProbesOut { get; init; }

    public int ProbesSucceeded { get; init; }

    public long? BreakLeftMs { get; init; }

    public string? Cause { get; init; }

    public int MinimumCalls { get; init; }

    public double? OpensAtRatio { get; init; }

    public int? OpensAtConsecutive { get; init; }
}
