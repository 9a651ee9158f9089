using System.Collections.Immutable;

namespace Resilience;

/// <summary>What is done with the key when a call has ended.</summary>
public enum IdempotencyDisposition
{
    /// <summary>The outcome is kept, and duplicates receive it: a result, or an error that is to be repeated as it is.</summary>
    Keep = 0,

    /// <summary>The key is given back: nothing was done, the next may begin at once.</summary>
    Release = 1,

    /// <summary>The key is left to lapse: nobody knows whether it was done, and the next begins (as a takeover) when the lease has ended.</summary>
    Hold = 2,

    /// <summary>It is recorded that nobody knows: duplicates are told so, and nobody begins again.</summary>
    KeepAsUnknown = 3,
}

/// <summary>The table that says what is done with the key for each ending. Immutable and thread-safe; each method returns a new table.</summary>
/// <remarks>
/// <para>Rules are asked in the order in which they were added; the first that answers wins. Then the defaults speak:</para>
/// <list type="bullet">
/// <item><see cref="Verdict.Success"/>, and results that are <see cref="Verdict.Ignored"/> (the request was wrong and stays wrong): keep;</item>
/// <item>anything else after <see cref="IdempotencyClaim.PassPointOfNoReturn"/>: keep as unknown;</item>
/// <item><see cref="Verdict.Rejected"/>: release, the deed was not begun;</item>
/// <item>a timeout or a cancellation: hold, what was cut off may have been done;</item>
/// <item>every other exception, and results that are a <see cref="Verdict.Failure"/>: release.</item>
/// </list>
/// <para>A rule that throws is passed over and counted in <c>resilience.callback.errors</c>.</para>
/// </remarks>
public sealed class IdempotencyOutcomes
{
    private readonly ImmutableArray<Func<Exception, IdempotencyDisposition?>> _exceptionRules;
    private readonly ImmutableArray<(Type Result, Delegate Rule)> _resultRules;

    private IdempotencyOutcomes(ImmutableArray<Func<Exception, IdempotencyDisposition?>> exceptionRules, ImmutableArray<(Type, Delegate)> resultRules)
    {
        _exceptionRules = exceptionRules;
        _resultRules = resultRules;
    }

    /// <summary>The defaults alone.</summary>
    public static IdempotencyOutcomes Default { get; } = new([], []);

    /// <summary>Exceptions of this type (or derived) are treated so.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The disposition is undefined.</exception>
    public IdempotencyOutcomes On<TException>(IdempotencyDisposition disposition)
        where TException : Exception
    {
        if (!Enum.IsDefined(disposition)) throw new ArgumentOutOfRangeException(nameof(disposition), disposition, "There is no such disposition.");
        return On<TException>(_ => disposition);
    }

    /// <summary>Exceptions of this type (or derived) are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public IdempotencyOutcomes On<TException>(Func<TException, IdempotencyDisposition?> rule)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_exceptionRules.Add(e => e is TException typed ? rule(typed) : null), _resultRules);
    }

    /// <summary>Results of exactly this type are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public IdempotencyOutcomes OnResult<T>(Func<T, IdempotencyDisposition?> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_exceptionRules, _resultRules.Add((typeof(T), rule)));
    }

    internal IdempotencyDisposition Judge<T>(in Outcome<T> outcome, bool isPastPointOfNoReturn) =>
        (outcome.HasResult ? AskResult(outcome.RawValue!) : AskException(outcome.Error as Exception)) ?? ByDefault(outcome, isPastPointOfNoReturn);

    private static IdempotencyDisposition ByDefault<T>(in Outcome<T> outcome, bool isPastPointOfNoReturn)
    {
        if (outcome.IsSuccess || (outcome.HasResult && outcome.Verdict == Verdict.Ignored)) return IdempotencyDisposition.Keep;
        if (isPastPointOfNoReturn) return IdempotencyDisposition.KeepAsUnknown;
        if (outcome.Verdict == Verdict.Rejected) return IdempotencyDisposition.Release;
        return outcome.Error is TimeoutException or OperationCanceledException ? IdempotencyDisposition.Hold : IdempotencyDisposition.Release;
    }

    private IdempotencyDisposition? AskResult<T>(T result)
    {
        foreach ((Type type, Delegate rule) in _resultRules)
        {
            if (type == typeof(T) && Ask((Func<T, IdempotencyDisposition?>)rule, result) is { } disposition) return disposition;
        }

        return null;
    }

    private IdempotencyDisposition? AskException(Exception? exception)
    {
        if (exception is null) return null;
        foreach (Func<Exception, IdempotencyDisposition?> rule in _exceptionRules)
        {
            if (Ask(rule, exception) is { } disposition) return disposition;
        }

        return null;
    }

    private static IdempotencyDisposition? Ask<TArg>(Func<TArg, IdempotencyDisposition?> rule, TArg argument)
    {
        try
        {
            return rule(argument);
        }
        catch (Exception error)
        {
            Safely.Report("idempotency outcome rule", error);
            return null;
        }
    }
}
