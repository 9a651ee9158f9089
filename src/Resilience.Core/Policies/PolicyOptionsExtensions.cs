namespace Resilience.Extensibility;

/// <summary>What can be done with every kind of options.</summary>
public static class PolicyOptionsExtensions
{
    /// <summary>A copy that later changes of this object do not reach. Whatever outlives the call that it got options from keeps a copy, and checks the
    /// copy.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public static TOptions Copy<TOptions>(this TOptions options)
        where TOptions : PolicyOptions
    {
        ArgumentNullException.ThrowIfNull(options);
        return (TOptions)options.CopyCore();
    }

    /// <summary>The name of the policy, or its kind where it has none: what it is called when it is the only one of its kind in a pipeline.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public static string GetName(this PolicyOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Name ?? options.Kind;
    }
}
