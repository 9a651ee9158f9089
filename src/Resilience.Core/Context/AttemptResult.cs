using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>An attempt that ended badly, as the predicates of policies see it (<see cref="RetryOptions.ShouldRetry"/>,
/// <see cref="CircuitBreakerOptions.ShouldCount"/>, <see cref="HedgingOptions.ShouldHedge"/> and others). Made on the failure path only.</summary>
public readonly struct AttemptResult
{
    private readonly OutcomeMarks _marks;

    internal AttemptResult(
        int number, Verdict verdict, OutcomeMarks marks, object? error, object? result, string? resultName, TimeSpan? retryAfter, ResilienceContext context)
    {
        Number = number;
        Verdict = verdict;
        _marks = marks;
        Error = error;
        Result = result;
        ResultName = resultName;
        RetryAfter = retryAfter;
        Call = context;
    }

    /// <summary>Which attempt of this retry (or of this race of hedges) it was, 0 for the first; for a breaker, which attempt of the call.</summary>
    public int Number { get; }

    /// <summary><see cref="Verdict.Failure"/>, or <see cref="Verdict.Rejected"/> where the policy goes on after a rejection.</summary>
    public Verdict Verdict { get; }

    /// <summary>Whether the classifier lets it speak against the health of the dependency; see <see cref="Classification.Counts"/>.</summary>
    public bool Counts => (_marks & OutcomeMarks.NotCounted) == 0;

    /// <summary>Whether the classifier lets it be repeated; see <see cref="Classification.MayRepeat"/>.</summary>
    public bool MayRepeat => (_marks & OutcomeMarks.Permanent) == 0;

    /// <summary>Whether it is known that nothing was done; see <see cref="Classification.NotApplied"/>.</summary>
    public bool NotApplied => (_marks & OutcomeMarks.NotApplied) != 0;

    /// <summary>Whether it shows that the dependency is overloaded; see <see cref="Classification.IsOverload"/>.</summary>
    public bool IsOverload => (_marks & OutcomeMarks.Overload) != 0;

    /// <summary>What the attempt threw; null when it ended with a result. For a rejection the exception is made by this call.</summary>
    public Exception? Exception => Error as Exception ?? (Error is Rejection rejection ? SafeRejection.ToException(rejection) : null);

    /// <summary>The result that counts as a failure (boxed); null when the attempt threw. It may be disposed after the predicate: do
    /// not keep it.</summary>
    public object? Result { get; }

    /// <summary>What the outcome itself, or the rule that judged it, states about when to retry; null when it states nothing.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>The call: its operation, its properties and the time it has left. Do not keep it.</summary>
    public ResilienceContext Context => Call.Shown();

    internal ResilienceContext Call { get; }

    internal object? Error { get; }

    internal string? ResultName { get; }

    internal OutcomeMarks Marks => _marks;

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
