using System.Runtime.CompilerServices;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The passage of one call through a retry.</summary>
internal abstract class RetryLink<T>(RetryPolicy policy, PolicyLink<T> next) : SuspendingLink<T>
{
    private readonly RetryBudget _budget = policy.Budget;
    private readonly AttemptReader<T> _reader = new(policy.Classifier, policy.TimeProvider);

    internal static RetryLink<T> Make(RetryPolicy policy, PolicyLink<T> next, bool isHeard) =>
        isHeard ? new HeardRetryLink<T>(policy, next) : new PlainRetryLink<T>(policy, next);

    private protected ValueTask<Outcome<T>> RunAsync(ResilienceContext context)
    {
        ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
        if (!running.IsCompletedSuccessfully) return Suspend(running, context);
        Outcome<T> outcome = running.Result;
        return IsLast(outcome, context) ? new(outcome) : ContinueAsync(context, outcome);
    }

    private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome) => IsLast(outcome, context);

    private bool IsLast(in Outcome<T> outcome, ResilienceContext context)
    {
        if (outcome.Verdict is Verdict.Success or Verdict.Failure) Credit(context); // it reached the dependency
        return outcome.Verdict == Verdict.Success || !MayBeRepeated(outcome);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private protected override async ValueTask<Outcome<T>> ContinueAsync(ResilienceContext context, Outcome<T> outcome)
    {
        TimeSpan previous = TimeSpan.Zero;
        int number = 0;
        for (; MayBeRepeated(outcome); number = number == int.MaxValue ? number : number + 1)
        {
            if (AttemptJudge.IsCutAround(outcome, context)) return outcome;
            RetryDecision decision = policy.Decide(_reader.Read(outcome, number, context), outcome.DoNotRetry, previous);
            if (decision.Cause is { } cause) return Stopped(outcome, cause, context);

            previous = decision.Delay;
            if (policy.IsAwaited && !context.Token.IsCancellationRequested)
            {
                decision = await policy.TellAsync(_reader.Read(outcome, number, context), decision).ConfigureAwait(false);
                if (decision.Cause is { } late) return Stopped(outcome, late, context);
            }

            outcome.Discard(context);
            await context.Settle(WaitAsync(decision, context)).ConfigureAwait(false);
            if (context.Token.IsCancellationRequested) return Cancelled.WhileWaiting(outcome, policy.Name, context.Token);

            context.ForgetAttempt();
            context.MarkBegun();
            context.TakeNumber();
            outcome = await next.ExecuteAsync(context).ConfigureAwait(false);
        }

        return outcome;
    }

    private static Outcome<T> Stopped(in Outcome<T> outcome, RetryStopReason cause, ResilienceContext context)
    {
        Outcome<T> last = cause is RetryStopReason.Budget or RetryStopReason.Deadline or RetryStopReason.RetryAfter ? outcome.MarkedDoNotRetry() : outcome;
        if (last.DoNotRetry) context.ReportAround(last.Error);
        if (last.DoNotRetry || cause == RetryStopReason.Attempts) last.ReportToRequest();
        return last;
    }

    /// <summary>A hedging inside or outside that shares the account makes the deposit itself.</summary>
    private void Credit(ResilienceContext context)
    {
        if (!ReferenceEquals(context.CreditedAccount, _budget)) _budget.RecordCall();
    }

    private bool MayBeRepeated(in Outcome<T> outcome) =>
        outcome.Verdict == Verdict.Failure
        || (outcome.Verdict == Verdict.Rejected && policy.WaitsForRejections && outcome.RetryAfter is not null);

    private Task WaitAsync(in RetryDecision decision, ResilienceContext context) =>
        decision.Delay <= TimeSpan.Zero || context.Token.IsCancellationRequested
            ? Task.CompletedTask
            : RetryWait.ForAsync(decision.Delay, decision.AskedFor, policy.Clock, context.Token);
}
