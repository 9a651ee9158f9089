namespace Resilience;

/// <content>Results that may still turn out to be the one that the caller gets. They lie among the properties: most calls have none.</content>
public abstract partial class ResilienceContext
{
    private static readonly object LeftoversKey = new();

    /// <summary>Those of this call, if there are any.</summary>
    internal Leftovers? Leftovers
    {
        get => _state.Properties is not null && _state.Properties.TryGetValue(LeftoversKey, out object? found) ? (Leftovers)found! : null;
        private set
        {
            _state.Properties = _state.Properties is null ? [] : _state.SharesProperties ? new(_state.Properties) : _state.Properties;
            _state.SharesProperties = false;
            _state.Properties[LeftoversKey] = value;
        }
    }

    /// <summary>The same; from now on there are some.</summary>
    internal Leftovers HoldLeftovers() => Leftovers ??= new();

    /// <summary>An attempt with a context of its own has ended and does not count: what it leaves is among ours.</summary>
    internal void AdoptLeftovers(ResilienceContext copy)
    {
        if (copy.Leftovers is not { } theirs) return;
        if (Leftovers is { } ours) theirs.PourInto(ours);
        else Leftovers = theirs;
    }
}
