namespace Resilience;

/// <summary>Reads properties of a call.</summary>
public static class ResiliencePropertyExtensions
{
    /// <summary>The value of a property; where the call has none, another.</summary>
    /// <exception cref="ArgumentNullException">The context or the property is null.</exception>
    public static TValue GetValue<TValue>(this ResilienceContext context, ResilienceProperty<TValue> property, TValue otherwise)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.TryGet(property, out TValue? value) ? value : otherwise;
    }
}
