namespace Resilience;

/// <summary>How a policy makes an <see cref="AttemptResult"/> of the outcomes of one result type: the readers of results are bound once.</summary>
internal sealed class AttemptReader<T>(OutcomeClassifier classifier, TimeProvider time)
{
    private readonly Func<T, string?>? _nameOf = classifier.BindName<T>();
    private readonly Func<T, TimeProvider, TimeSpan?>? _retryAfterOf = classifier.BindRetryAfter<T>();

    internal AttemptResult Read(in Outcome<T> outcome, int number, ResilienceContext context)
    {
        TimeSpan? said = (outcome.Marks & OutcomeMarks.SaysWhen) != 0 ? context.StatedRetryAfter : null;
        return outcome.HasResult
            ? new(
                number,
                outcome.Verdict,
                outcome.Marks,
                null,
                outcome.RawValue,
                _nameOf?.Invoke(outcome.RawValue!),
                said ?? _retryAfterOf?.Invoke(outcome.RawValue!, time),
                context)
            : new(number, outcome.Verdict, outcome.Marks, outcome.Error, null, null, said ?? outcome.RetryAfter, context);
    }

    internal string ReasonOf(in Outcome<T> outcome) =>
        classifier.ErrorTypeOf(outcome.Error) ?? (outcome.HasResult ? _nameOf?.Invoke(outcome.RawValue!) : null) ?? "result";
}
