namespace Resilience;

/// <summary>What an exception means to the call in which it came up: by who cancelled, by the rules, and by what the delegate saw.</summary>
internal static class AttemptJudge
{
    /// <param name="error">What was thrown.</param>
    /// <param name="context">The call.</param>
    /// <param name="classifier">The rules.</param>
    /// <param name="token">The token that the thrower had been given.</param>
    internal static Outcome<T> Of<T>(Exception error, ResilienceContext context, OutcomeClassifier classifier, CancellationToken token)
    {
        Exception judged = error;
        if (error is SeveralErrors several)
        {
            judged = several.All;
            error = several.All.InnerExceptions[0]; // what awaiting the task throws
        }

        OutcomeMarks marks = context.TakeReport() | (context.IsMarked(error, token) ? OutcomeMarks.DoNotRetry : OutcomeMarks.None);
        if (token.IsCancellationRequested || context.HasCallerLeft) return OfCancelled<T>(error, context, marks, token);
        Classification classification = classifier.Judge(judged, callCancelled: false);
        if (classification.Verdict != Verdict.Failure) marks &= OutcomeMarks.DoNotRetry;
        if (classification.RetryAfter is { } wait) context.StatedRetryAfter = wait;
        return new(default, error, classification.Verdict, marks | classification.EffectiveMarks);
    }

    /// <summary>The caller's cancellation is not a failure, and neither is that by a policy which lets an attempt go. Where a limit of ours cut the
    /// attempt, that is a failure here already, so that breakers between here and the limit hear of it: if the attempt had at least half
    /// of the time that cut it. The caller's own deadline says nothing about the dependency, unless the caller
    /// says that it does.</summary>
    private static Outcome<T> OfCancelled<T>(Exception error, ResilienceContext context, OutcomeMarks marks, CancellationToken token)
    {
        if (context.HasCallerLeft || context.InnermostTimeout?.FindCut() is not { } cut)
            return Cancelled.PutBack(new Outcome<T>(default, error, Verdict.Ignored, marks & OutcomeMarks.DoNotRetry), token);

        TimedOutException timedOut = new(cut.LimitName, cut.LimitLength, error) { CutBy = cut };
        bool isFailure = (!cut.IsCallersDeadline || context.DeadlineCounts()) && context.HadHalfOf(cut.DueAtMs, Clock.ToMs(cut.LimitLength));
        return new(default, timedOut, isFailure ? Verdict.Failure : Verdict.Ignored, isFailure ? marks : marks & OutcomeMarks.DoNotRetry);
    }

    /// <summary>An attempt was cut by a limit around the policy that asks: going on is not for it to decide.</summary>
    internal static bool IsCutAround<T>(in Outcome<T> outcome, ResilienceContext context) =>
        outcome.Error is TimedOutException { CutBy: not null } && context.Token.IsCancellationRequested;
}
