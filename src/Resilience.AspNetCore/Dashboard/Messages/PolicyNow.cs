namespace Resilience;

/// <summary>What a policy is doing; only what it has is there.</summary>
internal sealed record PolicyNow(string Id)
{
    public CircuitsNow? Circuits { get; init; }

    /// <summary>What the policy says of itself, one of ours or of a user; a circuit has a card of its own instead.</summary>
    public StatusNow? Status { get; init; }

    public ChaosNow? Chaos { get; init; }

    public string? Store { get; init; }

    /// <summary>The id of a gate whose records can be decided about.</summary>
    public string? Gate { get; init; }

    public IReadOnlyList<CountNow>? Counts { get; init; }
}
