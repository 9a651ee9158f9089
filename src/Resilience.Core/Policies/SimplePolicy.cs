namespace Resilience.Extensibility;

/// <summary>The short way to write a policy: one method around the call.</summary>
/// <example>
/// <code>
/// sealed class Tally : SimplePolicy
/// {
///     public int Calls;
///     protected override ValueTask&lt;Outcome&lt;T&gt;&gt; ExecuteAsync&lt;T&gt;(PolicyLink&lt;T&gt; next, ResilienceContext context)
///     {
///         Interlocked.Increment(ref Calls);
///         return next.ExecuteAsync(context);
///     }
/// }
/// </code>
/// </example>
public abstract class SimplePolicy : ResiliencePolicy
{
    /// <summary>What happens to one call. Call <paramref name="next"/> to let it go on: once, not at all, or again.</summary>
    /// <remarks>If this method throws, the pipeline turns the exception into an outcome, classified like any other.</remarks>
    protected abstract ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context);

    /// <inheritdoc/>
    protected internal sealed override PolicyLink<T> Bind<T>(PolicyLink<T> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return new Passage<T>(this, next);
    }

    private sealed class Passage<T>(SimplePolicy policy, PolicyLink<T> next) : PolicyLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => policy.ExecuteAsync(next, context);
    }
}
