namespace Resilience;

/// <summary>Something that happened.</summary>
/// <param name="Number">Counts the entries.</param>
/// <param name="At">When; of several the last.</param>
/// <param name="Kind">transition, rejection or note.</param>
/// <param name="Pipeline">The pipeline's name.</param>
/// <param name="Policy">The policy's name.</param>
/// <param name="Text">A sentence.</param>
/// <param name="Count">How often it happened.</param>
/// <param name="To">For a transition: the state now.</param>
internal sealed record RecentEntry(
    long Number, DateTimeOffset At, string Kind, string Pipeline, string Policy, string Text, long Count, string? To)
{
    /// <summary>What it is one of: an entry takes the place of an earlier one of the same pipeline, policy and group.</summary>
    public string? Group { get; init; }

    /// <summary>The trace of the call in which it happened, of several one of the last; null when that call had none.</summary>
    public string? TraceId { get; init; }
}
