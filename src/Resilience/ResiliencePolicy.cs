using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A policy: something that stands around a call. The base of our own and of yours.</summary>
/// <remarks>
/// A policy holds the state that calls share and is thread-safe; <see cref="Bind{T}"/> makes the link that one type of call
/// passes through. If you do not need the last nanoseconds, derive from <see cref="SimplePolicy"/> instead.
/// </remarks>
public abstract class ResiliencePolicy
{
    /// <summary>Makes the link that stands before <paramref name="next"/>. Called once for each result type, possibly more than once when calls race.</summary>
    protected internal abstract PolicyLink<T> Bind<T>(PolicyLink<T> next);

    /// <summary>What this policy is and how it is set, for <see cref="ResiliencePipeline.Describe"/> and for the check of the order.</summary>
    public virtual PolicyDescription Describe() => new(GetType().Name, PolicyRole.Other);

    /// <summary>The object by which people see and control this policy (a <see cref="CircuitBreaker"/>, a <see cref="RetryBudget"/>, a
    /// <see cref="ConcurrencyLimit"/>), or null if it has none.</summary>
    public virtual object? State => null;

    /// <summary>Called once when the policy is put in use: after everything in the pipeline was found in order. A policy that takes over
    /// the state of <see cref="PolicyEnvironment.Former"/> gives it its new options here. Must not throw.</summary>
    protected internal virtual void TakeEffect()
    {
    }

    /// <summary>True for links of which we have made sure that they never throw; others are guarded.</summary>
    internal virtual bool NeverThrows => false;
}

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
    /// <remarks>If this method throws, the pipeline turns the exception into an ending, classified like any other.</remarks>
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

/// <summary>Stands before links that we did not write and keeps for them the promise that a link never throws.</summary>
internal sealed class GuardLink<T>(PolicyLink<T> guarded, OutcomeClassifier classifier) : PolicyLink<T>
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        // A policy may replace the token and then throw before it puts the old one back: we remember it.
        CancellationToken token = context.CancellationToken;
        ValueTask<Outcome<T>> running;
        try
        {
            running = guarded.ExecuteAsync(context);
        }
        catch (Exception error)
        {
            return new(Caught(error, context, token));
        }

        return running.IsCompletedSuccessfully ? new(Checked(running.Result, context, token)) : AwaitAsync(running, context, token);
    }

    private Outcome<T> Checked(Outcome<T> outcome, ResilienceContext context, CancellationToken token) =>
        outcome.Verdict == Verdict.Ignored ? Cancelled.PutBack(outcome, token) // the policy may have put another token in
        : outcome.Verdict != Verdict.None ? outcome
        : Caught(
            new InvalidOperationException(
                "A policy returned default(Outcome<T>), which is not an ending. Make outcomes with Outcome.Success, Outcome.Failure or Outcome.Rejected."),
            context,
            token);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<Outcome<T>> AwaitAsync(ValueTask<Outcome<T>> running, ResilienceContext context, CancellationToken token)
    {
        try
        {
            return Checked(await running.ConfigureAwait(false), context, token);
        }
        catch (Exception error)
        {
            return Caught(error, context, token);
        }
    }

    private Outcome<T> Caught(Exception error, ResilienceContext context, CancellationToken token)
    {
        context.CancellationToken = token;
        return AttemptJudge.Of<T>(error, context, classifier, token);
    }
}
