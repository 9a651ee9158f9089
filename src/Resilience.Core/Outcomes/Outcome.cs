using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Resilience;

/// <summary>Makes outcomes. Custom policies use it to answer without throwing.</summary>
public static class Outcome
{
    /// <summary>A result that counts as a success.</summary>
    public static Outcome<T> Success<T>(T value) => new(value, null, Verdict.Success, OutcomeMarks.None);

    /// <summary>A result with a verdict of its own: a 503 is a result and still a failure.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="verdict"/> is <see cref="Verdict.None"/>,
    /// <see cref="Verdict.Rejected"/> or undefined.</exception>
    public static Outcome<T> Result<T>(T value, Verdict verdict)
    {
        if (verdict is Verdict.None or Verdict.Rejected or > Verdict.Rejected)
            throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "A result is a Success, a Failure or Ignored.");
        return new(value, null, verdict, OutcomeMarks.None);
    }

    /// <summary>A result that was judged: a verdict with what goes with it.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The verdict is <see cref="Verdict.None"/> or <see cref="Verdict.Rejected"/>.</exception>
    public static Outcome<T> Result<T>(T value, Classification classification)
    {
        if (classification.Verdict is Verdict.None or Verdict.Rejected)
            throw new ArgumentOutOfRangeException(nameof(classification), classification.Verdict, "A result is a Success, a Failure or Ignored.");
        return new(value, null, classification.Verdict, classification.EffectiveMarks & ~OutcomeMarks.SaysWhen);
    }

    /// <summary>An exception as data, judged: a verdict with what goes with it. A time to come back is not kept: the exception carries it.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The verdict is <see cref="Verdict.None"/> or <see cref="Verdict.Success"/>.</exception>
    public static Outcome<T> Failure<T>(Exception exception, Classification classification)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (classification.Verdict is Verdict.None or Verdict.Success)
            throw new ArgumentOutOfRangeException(nameof(classification), classification.Verdict, "An exception is a Failure, Ignored or Rejected.");
        return new(default, exception, classification.Verdict, classification.EffectiveMarks & ~OutcomeMarks.SaysWhen);
    }

    /// <summary>An exception as data, by default a <see cref="Verdict.Failure"/>.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="verdict"/> is <see cref="Verdict.None"/>,
    /// <see cref="Verdict.Success"/> or undefined.</exception>
    public static Outcome<T> Failure<T>(Exception exception, Verdict verdict = Verdict.Failure)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (verdict is Verdict.None or Verdict.Success or > Verdict.Rejected)
            throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "An exception is a Failure, Ignored or Rejected.");
        return new(default, exception, verdict, OutcomeMarks.None);
    }

    /// <summary>A rejection by a policy. No exception is created unless it is thrown.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rejection"/> is null.</exception>
    public static Outcome<T> Rejected<T>(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        return new(default, rejection, Verdict.Rejected, OutcomeMarks.None);
    }
}

/// <summary>How a call ended: a value, an exception or a rejection, together with its <see cref="Verdict"/>.</summary>
/// <typeparam name="T">The type of the result.</typeparam>
/// <remarks>Immutable. <c>default</c> is not an outcome (<see cref="Verdict"/> is <see cref="Verdict.None"/>); pipelines reject it.</remarks>
public readonly struct Outcome<T>
{
    private readonly T? _value;
    private readonly object? _error; // null, an Exception, or a Rejection whose exception is made only on demand
    private readonly Verdict _verdict;
    private readonly OutcomeMarks _marks;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal Outcome(T? value, object? error, Verdict verdict, OutcomeMarks marks)
    {
        _value = value;
        _error = error;
        _verdict = verdict;
        _marks = marks;
    }

    /// <summary>How the call ended.</summary>
    public Verdict Verdict => _verdict;

    /// <summary>True for <see cref="Verdict.Success"/>.</summary>
    public bool IsSuccess => _verdict == Verdict.Success;

    /// <summary>True when there is a value, be it a success or a result that counts as a failure.</summary>
    public bool HasResult => _error is null && _verdict != Verdict.None;

    /// <summary>True when a layer below has spent its retry budget or its deadline, so layers above should not retry either.</summary>
    public bool DoNotRetry => (_marks & OutcomeMarks.DoNotRetry) != 0;

    /// <summary>Whether a failure speaks against the health of the dependency; see <see cref="Classification.Counts"/>.</summary>
    public bool Counts => (_marks & OutcomeMarks.NotCounted) == 0;

    /// <summary>Whether trying again may help; see <see cref="Classification.MayRepeat"/>. <see cref="DoNotRetry"/> is another thing: a layer
    /// below has tried often enough.</summary>
    public bool MayRepeat => (_marks & OutcomeMarks.Permanent) == 0;

    /// <summary>Whether it is known that nothing was done; see <see cref="Classification.NotApplied"/>.</summary>
    public bool NotApplied => (_marks & OutcomeMarks.NotApplied) != 0;

    /// <summary>The rejection, where a policy of ours made one.</summary>
    public Rejection? Rejection => _error as Rejection;

    /// <summary>The exception, or null when there is a result. For a rejection the exception is created by this call, anew each time.</summary>
    public Exception? Exception => _error as Exception ?? (_error is Rejection rejection ? SafeRejection.ToException(rejection) : null);

    /// <summary>When it may be worth trying again, where a policy or the exception knows it.</summary>
    public TimeSpan? RetryAfter => SafeRejection.RetryAfterOf(_error);

    /// <summary>The result.</summary>
    /// <exception cref="InvalidOperationException">There is no result; the exception, if any, is the inner exception.</exception>
    public T Value => HasResult
        ? _value!
        : throw new InvalidOperationException($"The call ended without a result ({VerdictNames.Of(_verdict)}).", Exception);

    /// <summary>Gets the result if there is one.</summary>
    public bool TryGetValue([MaybeNullWhen(false)] out T value)
    {
        value = _value;
        return HasResult;
    }

    /// <summary>The result, or throws what the call threw, with its original stack trace.</summary>
    [StackTraceHidden]
    public T GetValueOrThrow()
    {
        if (!HasResult) Throw();
        return _value!;
    }

    /// <summary>The same outcome with another verdict: how a policy narrows for itself what the classifier said.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The verdict does not fit: an exception cannot be a success, a result cannot be a rejection.</exception>
    public Outcome<T> WithVerdict(Verdict verdict)
    {
        if (_verdict == Verdict.None || verdict is Verdict.None or > Verdict.Rejected
            || (_error is null ? verdict == Verdict.Rejected : verdict == Verdict.Success))
            throw new ArgumentOutOfRangeException(
                nameof(verdict), verdict, $"An outcome that was {VerdictNames.Of(_verdict)} cannot become {VerdictNames.Of(verdict)}.");
        return new(_value, _error, verdict, _marks);
    }

    /// <summary>The same outcome, marked so that no retry above repeats it.</summary>
    /// <remarks>The mark is on the outcome, never on the exception, which other calls may throw as well. It goes up through the pipeline, and to
    /// the pipeline around whose delegate called this one, whatever form the failure takes on the way.</remarks>
    public Outcome<T> MarkedDoNotRetry() => new(_value, _error, _verdict, _marks | OutcomeMarks.DoNotRetry);

    /// <inheritdoc/>
    public override string ToString() => _error switch
    {
        null => _verdict == Verdict.None ? "no outcome" : $"{_verdict}: {_value}",
        Rejection rejection => $"{_verdict}: {SafeRejection.ReasonOf(rejection)}",
        Exception exception => $"{_verdict}: {exception.GetType().Name}: {Safely.MessageOf(exception)}",
        _ => _verdict.ToString(),
    };

    internal object? Error => _error;

    internal T? RawValue => _value;

    internal OutcomeMarks Marks => _marks;

    /// <summary>Disposes of a result that no caller will see.</summary>
    internal void Discard()
    {
        if (_error is null && _value is IDisposable or IAsyncDisposable) Safely.Dispose(_value);
    }

    [DoesNotReturn]
    [StackTraceHidden]
    internal void Throw()
    {
        switch (_error)
        {
            case Rejection rejection:
                throw SafeRejection.ToException(rejection);
            case Exception exception:
                ExceptionDispatchInfo.Throw(exception);
                break;
        }

        throw new InvalidOperationException("default(Outcome<T>) is not an outcome. Make outcomes with Outcome.Success, Outcome.Failure or Outcome.Rejected.");
    }
}
