using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>An attempt that ended badly, as the delegates of <see cref="RetryOptions"/> see it. Made on the failure path only.</summary>
public readonly struct RetryAttempt
{
    internal RetryAttempt(
        int number, Verdict verdict, object? error, object? result, string? resultName, TimeSpan? retryAfter, ResilienceContext context)
    {
        Number = number;
        Verdict = verdict;
        Error = error;
        Result = result;
        ResultName = resultName;
        RetryAfter = retryAfter;
        Context = context;
    }

    /// <summary>Which attempt of this retry it was: 0 for the first.</summary>
    public int Number { get; }

    /// <summary><see cref="Verdict.Failure"/>, or <see cref="Verdict.Rejected"/> when <see cref="RetryOptions.WaitForRejections"/> is
    /// set.</summary>
    public Verdict Verdict { get; }

    /// <summary>What the attempt threw; null when it ended with a result.</summary>
    public Exception? Exception => Error as Exception ?? (Error as Refusal)?.ToException();

    /// <summary>The result that counts as a failure (boxed); null when the attempt threw. It is disposed before the next attempt: do
    /// not keep it.</summary>
    public object? Result { get; }

    /// <summary>What the ending itself says about when to come back.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The call: its operation, its properties and the time it has left. Do not keep it.</summary>
    public ResilienceContext Context { get; }

    internal object? Error { get; }

    internal string? ResultName { get; }

    /// <summary>The result, if there is one of this type.</summary>
    public bool TryGetResult<T>([MaybeNullWhen(false)] out T result)
    {
        if (Error is null && Result is T typed)
        {
            result = typed;
            return true;
        }

        result = default;
        return false;
    }
}
