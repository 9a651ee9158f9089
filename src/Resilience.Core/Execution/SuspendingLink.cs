using System.Diagnostics;
using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What a link remembers while the call below it is away. What the fields mean is the link's own affair.</summary>
internal readonly struct FrameState(object? first, object? second = null, long number = 0)
{
    internal readonly object? First = first;
    internal readonly object? Second = second;
    internal readonly long Number = number;
}

/// <summary>A link that needs no async method: where the call below it suspends, it says what is to be done when the call comes back.</summary>
/// <remarks>
/// <code>
/// ValueTask&lt;Outcome&lt;T&gt;&gt; running = next.ExecuteAsync(context);
/// if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(what, must, be));   // remembered for TryFinish
/// return new(Finish(running.Result));                                                            // and TryFinish does the same
/// </code>
/// A method that awaits <c>next</c> in place of this is right too, and dearer.
/// </remarks>
internal abstract class SuspendingLink<T> : PolicyLink<T>
{
    /// <summary>The call has come back: does the link's part, mostly all of it.</summary>
    /// <param name="context">The context that was given to <see cref="Suspend"/>.</param>
    /// <param name="state">What was remembered.</param>
    /// <param name="outcome">With what the call came back; what it goes on with.</param>
    /// <returns>False when the link must let the call go on once more, or wait: <see cref="ContinueAsync"/> does.</returns>
    private protected abstract bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome);

    /// <summary>What could not be finished at once.</summary>
    private protected virtual ValueTask<Outcome<T>> ContinueAsync(ResilienceContext context, Outcome<T> outcome) => throw new UnreachableException();

    /// <summary>What was below has thrown, which links do not do. Who guards a link that we did not write knows better.</summary>
    private protected virtual Outcome<T> OutcomeOf(Exception error, ResilienceContext context, in FrameState state)
    {
        Outcome<T> outcome = Broken(error);
        TryFinish(context, state, ref outcome);
        return outcome;
    }

    /// <summary>The call below has not ended: <see cref="TryFinish"/> goes on when it has.</summary>
    private protected ValueTask<Outcome<T>> Suspend(ValueTask<Outcome<T>> running, ResilienceContext context, in FrameState state = default)
    {
        Suspension<T> suspension = Suspension<T>.Of(Unsafe.As<Call<T>>(context), running);
        suspension.Push(this, state);
        return suspension.Completion;
    }

    /// <summary>The turn of this link. A link never throws; if one did, the links above would go on, and the caller would hear of it.</summary>
    internal bool Resume(ResilienceContext context, in FrameState state, ref Outcome<T> outcome, out ValueTask<Outcome<T>> running)
    {
        running = default;
        try
        {
            if (TryFinish(context, state, ref outcome)) return true;
            running = ContinueAsync(context, outcome);
            if (!running.IsCompletedSuccessfully) return false;
            outcome = running.Result;
        }
        catch (Exception error)
        {
            outcome = Broken(error);
        }

        return true;
    }

    /// <summary>The turn of this link when what was below it has thrown.</summary>
    internal Outcome<T> ResumeThrown(ResilienceContext context, in FrameState state, Exception error)
    {
        try
        {
            return OutcomeOf(error, context, state);
        }
        catch (Exception second)
        {
            return Broken(second);
        }
    }

    /// <summary>The outcome of a call in which a link has thrown.</summary>
    internal static Outcome<T> Broken(Exception error)
    {
        Safely.Report("link", error);
        return new(default, error, Verdict.Failure, OutcomeMarks.None);
    }
}
