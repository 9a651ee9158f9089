namespace Resilience;

/// <summary>A bag of typed values for one call. Not thread-safe.</summary>
public sealed class CallProperties
{
    internal Dictionary<object, object?> Values { get; } = [];

    /// <summary>Adds or replaces a value.</summary>
    /// <returns>This bag.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="property"/> is null.</exception>
    public CallProperties With<TValue>(ResilienceProperty<TValue> property, TValue value)
    {
        ArgumentNullException.ThrowIfNull(property);
        Values[property] = value;
        return this;
    }
}
