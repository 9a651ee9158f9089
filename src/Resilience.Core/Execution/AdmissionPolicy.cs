namespace Resilience.Extensibility;

/// <summary>A policy that lets calls in or rejects them, and hears how those that went in have ended: switches, quotas, limits, throttles. It costs what one of
/// ours costs: no allocation, no state machine, no fork of the context.</summary>
/// <remarks>The link is the library's own, so there is nothing to guard: what you write never holds the call, only looks at it. What it throws is counted
/// (<c>resilience.callback.errors</c>). Thread-safe by your own care: calls come from all threads.</remarks>
/// <example>
/// <code>
/// sealed class Door(PolicyEnvironment environment) : AdmissionPolicy
/// {
///     private readonly Closed _closed = new(environment.PolicyName);
///     public volatile bool IsClosed;
///     protected override Rejection? TryEnter(AdmissionCall call, ref long ticket) => IsClosed ? _closed : null;
/// }
/// </code>
/// </example>
public abstract class AdmissionPolicy : ResiliencePolicy
{
    /// <summary>Whether a call may go on. Does not wait.</summary>
    /// <param name="call">The call.</param>
    /// <param name="ticket">Zero; what you put here, <see cref="Exit"/> gets back: a time, an epoch.</param>
    /// <returns>Null: it goes on, and <see cref="Exit"/> is called exactly once. Otherwise the rejection that its caller gets. If this throws, the call
    /// does not go on and ends with the exception as <see cref="Verdict.Ignored"/>: an error of the program, which says nothing about the dependency and
    /// is not repeated.</returns>
    protected abstract Rejection? TryEnter(AdmissionCall call, ref long ticket);

    /// <summary>A call that went in has ended. Default: nothing.</summary>
    /// <param name="call">The call.</param>
    /// <param name="verdict">How it has ended.</param>
    /// <param name="ticket">What <see cref="TryEnter"/> has left.</param>
    protected virtual void Exit(AdmissionCall call, Verdict verdict, long ticket)
    {
    }

    /// <inheritdoc/>
    protected internal sealed override PolicyLink<T> Bind<T>(PolicyLink<T> next)
    {
        ArgumentNullException.ThrowIfNull(next);
        return new Link<T>(this, next);
    }

    internal sealed override bool NeverThrows => true;

    private void Left(ResilienceContext context, Verdict verdict, long ticket)
    {
        try
        {
            Exit(new(context), verdict, ticket);
        }
        catch (Exception error)
        {
            Safely.Report("policy Exit", error);
        }
    }

    private sealed class Link<T>(AdmissionPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
    {
        public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
        {
            long ticket = 0;
            try
            {
                if (policy.TryEnter(new(context), ref ticket) is { } rejection)
                    return new(new Outcome<T>(default, rejection, Verdict.Rejected, OutcomeMarks.None));
            }
            catch (Exception error)
            {
                Safely.Report("policy TryEnter", error);
                return new(new Outcome<T>(default, error, Verdict.Ignored, OutcomeMarks.None));
            }

            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(null, number: ticket));
            Outcome<T> outcome = running.Result;
            policy.Left(context, outcome.Verdict, ticket);
            return new(outcome);
        }

        private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
        {
            policy.Left(context, outcome.Verdict, state.Number);
            return true;
        }
    }
}
