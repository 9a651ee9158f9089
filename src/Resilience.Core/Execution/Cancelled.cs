using System.Runtime.ExceptionServices;

namespace Resilience;

/// <summary>Outcomes of calls that were cancelled, and the token that they name: always that of the one who is told.</summary>
internal static class Cancelled
{
    /// <summary>The call was cancelled while it waited to try again: the last failure is the inner exception.</summary>
    internal static Outcome<T> WhileWaiting<T>(in Outcome<T> failed, string policyName, CancellationToken token)
    {
        Exception lastFailure = failed.Exception
            ?? new InvalidOperationException($"The last attempt ended with a result ({typeof(T)}) that counts as a failure.");
        OperationCanceledException cancelled = new($"{policyName}: cancelled while waiting to try again.", lastFailure, token);
        return new(default, cancelled, Verdict.Ignored, OutcomeMarks.None);
    }

    /// <summary>Who replaced the token puts the former one back also in what comes up: a caller who compares the token of a cancellation finds that
    /// token in the exception, however many others were between him and the one who threw it.</summary>
    internal static Outcome<T> PutBack<T>(in Outcome<T> outcome, CancellationToken former) =>
        outcome.Error is OperationCanceledException cancelled && former.IsCancellationRequested && cancelled.CancellationToken != former
            ? new(default, Renamed(cancelled, former), outcome.Verdict, outcome.Marks)
            : outcome;

    /// <summary>The same exception with another token. The exceptions of the framework are copied with message, inner exception and stack trace; one of
    /// another type, which we cannot make, becomes the inner exception. The original may belong to others and is not touched.</summary>
    private static OperationCanceledException Renamed(OperationCanceledException cancelled, CancellationToken token)
    {
        Type type = cancelled.GetType();
        OperationCanceledException renamed =
            type == typeof(OperationCanceledException) ? new(Safely.MessageOf(cancelled), cancelled.InnerException, token)
            : type == typeof(TaskCanceledException) ? new TaskCanceledException(Safely.MessageOf(cancelled), cancelled.InnerException, token)
            : new("The call was cancelled.", cancelled, token);
        if (renamed.InnerException == cancelled) return renamed;
        if (cancelled.StackTrace is { } trace) ExceptionDispatchInfo.SetRemoteStackTrace(renamed, trace);
        renamed.HelpLink = cancelled.HelpLink;
        foreach (System.Collections.DictionaryEntry entry in cancelled.Data) renamed.Data[entry.Key] = entry.Value;
        return renamed;
    }
}
