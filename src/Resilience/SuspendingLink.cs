using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>What a link remembers while the call below it is away. What the fields mean is the link's own affair.</summary>
internal readonly struct FrameState(object? first, object? second = null, long number = 0, CancellationToken token = default)
{
    internal readonly object? First = first;
    internal readonly object? Second = second;
    internal readonly CancellationToken Token = token;
    internal readonly long Number = number;
}

/// <summary>A link that needs no async method: where the call below it suspends, it says what is to be done when the call comes back.</summary>
/// <remarks>
/// <code>
/// ValueTask&lt;Outcome&lt;T&gt;&gt; running = next.ExecuteAsync(context);
/// if (!running.IsCompletedSuccessfully) return Suspend(running, context, new(what, must, be, remembered));
/// return new(Finish(running.Result));                                    // and Resume does the same
/// </code>
/// The method that awaits <c>next</c> in place of this is right too, and dearer.
/// </remarks>
internal abstract class SuspendingLink<T> : PolicyLink<T>
{
    /// <summary>The call has come back. Mostly answers at once; may also let it go on once more, or wait.</summary>
    /// <param name="context">The context that was given to <see cref="Suspend"/>.</param>
    /// <param name="state">What was remembered.</param>
    /// <param name="outcome">With what it came back.</param>
    private protected abstract ValueTask<Outcome<T>> Resume(ResilienceContext context, in FrameState state, in Outcome<T> outcome);

    /// <summary>What was below has thrown, which links do not do. Who guards a link that we did not write knows better.</summary>
    internal virtual ValueTask<Outcome<T>> ResumeThrown(ResilienceContext context, in FrameState state, Exception error) =>
        ResumeSafely(context, state, Broken(error));

    /// <summary>As <see cref="Resume"/>. A link never throws; if one did, the links above would go on, and the caller would hear of it.</summary>
    internal ValueTask<Outcome<T>> ResumeSafely(ResilienceContext context, in FrameState state, in Outcome<T> outcome)
    {
        try
        {
            return Resume(context, state, outcome);
        }
        catch (Exception error)
        {
            return new(Broken(error));
        }
    }

    /// <summary>The call below has not ended: <see cref="Resume"/> goes on when it has.</summary>
    private protected ValueTask<Outcome<T>> Suspend(in ValueTask<Outcome<T>> running, ResilienceContext context, in FrameState state = default)
    {
        Suspension<T> suspension = Suspension<T>.Of(Unsafe.As<Call<T>>(context), running);
        suspension.Push(this, state);
        return suspension.Completion;
    }

    /// <summary>The outcome of a call in which a link has thrown.</summary>
    internal static Outcome<T> Broken(Exception error)
    {
        Safely.Report("link", error);
        return new(default, error, Verdict.Failure, OutcomeMarks.None);
    }
}
