using System.Globalization;

namespace Resilience;

/// <summary>What a rule says of an outcome: its <see cref="Verdict"/> and, of a <see cref="Verdict.Failure"/>, whether it counts against the
/// dependency, whether it may be repeated, whether it is known that nothing was done, and when to come back.</summary>
/// <remarks>
/// A <see cref="Verdict"/> converts to it, so a rule that has nothing more to say returns the verdict. <c>default</c> claims nothing: its verdict is
/// <see cref="Verdict.None"/>, which no rule may answer with. Of verdicts other than a failure the other facts say nothing. Immutable.
/// </remarks>
/// <example><code>
/// builder.Classify(rules => rules
///     .On&lt;QuotaException&gt;(e => Classification.Throttled(e.ResetsIn))
///     .On&lt;DiskFullException&gt;(Classification.Permanent));
/// </code></example>
public readonly record struct Classification
{
    private readonly long _waitTicks; // one more than was stated; 0: nothing was stated
    private readonly Verdict _verdict;
    private readonly OutcomeMarks _marks; // inverted, so that default claims nothing

    /// <summary>A verdict without further claims.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="verdict"/> is undefined.</exception>
    public Classification(Verdict verdict)
    {
        if (verdict > Verdict.Rejected) throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "A defined verdict.");
        _verdict = verdict;
    }

    private Classification(Verdict verdict, OutcomeMarks marks, long waitTicks = 0)
    {
        _verdict = verdict;
        _marks = marks;
        _waitTicks = waitTicks;
    }

    /// <summary>How the attempt ended.</summary>
    public Verdict Verdict => _verdict;

    /// <summary>When it may be worth trying again, from now on; null when nothing is known. A negative span is stored as null.</summary>
    public TimeSpan? RetryAfter
    {
        get => _waitTicks == 0 ? null : new TimeSpan(_waitTicks - 1);
        init => _waitTicks = value is { } wait && wait >= TimeSpan.Zero ? Math.Min(wait.Ticks, long.MaxValue - 1) + 1 : 0;
    }

    /// <summary>Whether a failure speaks against the health of the dependency: breakers count it. Default true.</summary>
    public bool Counts
    {
        get => !Has(OutcomeMarks.NotCounted);
        init => _marks = Put(OutcomeMarks.NotCounted, !value);
    }

    /// <summary>Whether trying again may help. Default true. False: no retry repeats it, and a hedge takes it for the answer.</summary>
    public bool MayRepeat
    {
        get => !Has(OutcomeMarks.Permanent);
        init => _marks = Put(OutcomeMarks.Permanent, !value);
    }

    /// <summary>Whether it is known that nothing was done, so that even a call that must not be made twice may be repeated. Default false. Claim
    /// it only of what proves it: the type of an exception alone seldom does.</summary>
    public bool NotApplied
    {
        get => Has(OutcomeMarks.NotApplied);
        init => _marks = Put(OutcomeMarks.NotApplied, value);
    }

    /// <summary>Whether it shows that the dependency is overloaded: throttles and adaptive limits send less then. Default false.</summary>
    public bool IsOverload
    {
        get => Has(OutcomeMarks.Overload);
        init => _marks = Put(OutcomeMarks.Overload, value);
    }

    /// <summary>A failure that counts and is not repeated.</summary>
    public static Classification Permanent => new(Verdict.Failure, OutcomeMarks.Permanent);

    /// <summary>A failure that counts, of which it is known that nothing was done.</summary>
    public static Classification Untouched => new(Verdict.Failure, OutcomeMarks.NotApplied);

    /// <summary>The dependency is well and asks for patience: a failure that is repeated and not counted, and a sign of overload.</summary>
    /// <param name="retryAfter">When to come back; null or negative: it did not say.</param>
    public static Classification Throttled(TimeSpan? retryAfter = null) =>
        new Classification(Verdict.Failure, OutcomeMarks.NotCounted | OutcomeMarks.Overload) with { RetryAfter = retryAfter };

    /// <summary>A verdict without further claims.</summary>
    public static implicit operator Classification(Verdict verdict) => new(verdict);

    /// <summary>A failure that counts, of a dependency that says that it is overloaded.</summary>
    internal static Classification Overloaded => new(Verdict.Failure, OutcomeMarks.Overload);

    internal OutcomeMarks Marks => _marks;

    /// <summary>The facts of a failure; those of other verdicts say nothing and are not kept.</summary>
    internal OutcomeMarks EffectiveMarks =>
        _verdict == Verdict.Failure ? _marks | (_waitTicks == 0 ? OutcomeMarks.None : OutcomeMarks.SaysWhen) : OutcomeMarks.None;

    internal Classification With(OutcomeMarks marks) => new(_verdict, marks, _waitTicks);

    /// <summary>For people: <c>Failure, not counted, after 2 s</c>.</summary>
    public override string ToString()
    {
        string text = _verdict.ToString();
        if (Has(OutcomeMarks.NotCounted)) text += ", not counted";
        if (Has(OutcomeMarks.Permanent)) text += ", not repeated";
        if (Has(OutcomeMarks.NotApplied)) text += ", not applied";
        if (Has(OutcomeMarks.Overload)) text += ", overload";
        return RetryAfter is { } wait ? string.Create(CultureInfo.InvariantCulture, $"{text}, after {TimeText.Of(wait)}") : text;
    }

    private bool Has(OutcomeMarks mark) => (_marks & mark) != 0;

    private OutcomeMarks Put(OutcomeMarks mark, bool isSet) => isSet ? _marks | mark : _marks & ~mark;
}
