namespace Resilience.Configuration;

/// <summary>Where a policy stands among those that a section of configuration names.</summary>
public readonly record struct ConfiguredPlace
{
    private ConfiguredPlace(string key, bool isOutside)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        (Key, IsOutside) = (key, isOutside);
    }

    /// <summary>The key of the policy beside which it stands.</summary>
    public string Key { get; }

    /// <summary>Whether it stands around that policy; otherwise inside of it.</summary>
    public bool IsOutside { get; }

    /// <summary>Right around the policy of this key: "TotalTimeout" is the outermost of ours.</summary>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    public static ConfiguredPlace Outside(string key) => new(key, isOutside: true);

    /// <summary>Right inside of the policy of this key: "Chaos" is the innermost of ours.</summary>
    /// <exception cref="ArgumentException">The key is null or empty.</exception>
    public static ConfiguredPlace Inside(string key) => new(key, isOutside: false);
}
