namespace Resilience.Extensibility;

/// <summary>A moment's view of a policy, for live pages and health checks.</summary>
/// <param name="Condition">How it is, in one word.</param>
/// <param name="Text">How it is, in a line that people read.</param>
public sealed record PolicyStatus(PolicyCondition Condition, string Text)
{
    /// <summary>True for a policy that can be <see cref="PolicyCondition.Tripped"/>, also while it is not: health checks watch it. Default false.</summary>
    public bool CanTrip { get; init; }

    /// <summary>The numbers behind the <see cref="Text"/>. The first that has a <see cref="PolicyReading.Max"/> is shown as a bar.</summary>
    public IReadOnlyList<PolicyReading> Readings { get; init; } = [];

    /// <summary>Where there is one for each key (tenant, shard): how each is. Keys may be confidential: who shows them asks first.</summary>
    public IReadOnlyList<KeyValuePair<string, PolicyStatus>> Parts { get; init; } = [];
}
