namespace Resilience;

/// <summary>A typed key for something that travels with a call. Make one, keep it in a static field, share it; two keys are never
/// equal, even with the same name.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
public sealed class ResilienceProperty<T>
{
    /// <summary>Makes a key.</summary>
    /// <param name="name">For people who debug; need not be unique.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty.</exception>
    public ResilienceProperty(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Name = name;
    }

    /// <summary>For people who debug.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
