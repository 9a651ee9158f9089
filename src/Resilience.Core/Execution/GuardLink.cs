using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Stands before links that we did not write, keeps for them the promise that a link never throws, and keeps the call out of their
/// hands: they get a fork, which ends when they have answered.</summary>
/// <remarks>
/// So a policy that keeps the context, changes its token, or does not wait for what it started (the race against a delay that most people write
/// first) harms no other call, not even the call that it served: what it left behind finds an ended context, stops at the next step, and is told of in
/// <c>resilience.callback.errors</c>. Together with <see cref="SeamLink{T}"/>, which stands behind the same policy.
/// </remarks>
internal sealed class GuardLink<T>(PolicyLink<T> guarded, OutcomeClassifier classifier, string policyName) : SuspendingLink<T>
{
    public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
    {
        ResilienceContext fork = context.Copy();
        ValueTask<Outcome<T>> running;
        Outcome<T> outcome;
        try
        {
            running = context.BlocksThread
                ? context.BeginSettled((guarded, fork), Begin)
                : guarded.ExecuteAsync(fork);
            if (!running.IsCompleted) return Suspend(running, context, new(fork));
            outcome = running.Result; // an async policy that threw before it waited is answered here, not by way of the thread pool
        }
        catch (Exception error)
        {
            return new(Caught(error, context, fork));
        }

        return new(Checked(outcome, context, fork));
    }

    private static ValueTask<Outcome<T>> Begin((PolicyLink<T> Guarded, ResilienceContext Fork) call)
    {
        return call.Guarded.ExecuteAsync(call.Fork);
    }

    private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
    {
        outcome = Checked(outcome, context, ForkIn(state));
        return true;
    }

    private protected override Outcome<T> OutcomeOf(Exception error, ResilienceContext context, in FrameState state) =>
        Caught(error, context, ForkIn(state));

    private static ResilienceContext ForkIn(in FrameState state) => Unsafe.As<ResilienceContext>(state.First!);

    private Outcome<T> Checked(Outcome<T> outcome, ResilienceContext context, ResilienceContext fork)
    {
        if (outcome.Verdict == Verdict.None)
        {
            return Caught(
                new InvalidOperationException(
                    "A policy returned default(Outcome<T>), which is not an outcome. Make outcomes with Outcome.Success, Outcome.Failure or Outcome.Rejected."),
                context,
                fork);
        }

        Join(context, fork);
        if (outcome.DoNotRetry) context.ReportAround(outcome.Error);
        return outcome.Verdict == Verdict.Ignored ? Cancelled.PutBack(outcome, context.Token) : outcome; // the policy may have put another token in
    }

    private Outcome<T> Caught(Exception error, ResilienceContext context, ResilienceContext fork)
    {
        Join(context, fork);
        return AttemptJudge.Of<T>(error, context, classifier, context.Token);
    }

    /// <summary>The call goes on without the policy. Whatever the policy has left running is cut off.</summary>
    private void Join(ResilienceContext context, ResilienceContext fork)
    {
        if (fork.IsRunning)
        {
            context.JoinUnfinished(fork);
            fork.EndFork();
            SeamLink.Tell(policyName, "It answered before what it had let go on has ended. Let a fork go on (context.Fork), and join the one that counts.");
            return;
        }

        context.Take(fork);
        fork.EndFork();
    }
}
