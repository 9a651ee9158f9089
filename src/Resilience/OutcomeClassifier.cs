using System.Collections.Immutable;
using System.Globalization;

namespace Resilience;

/// <summary>Decides, once per attempt, what an ending means. Immutable and thread-safe; each method returns a new classifier.</summary>
/// <remarks>
/// <para>Rules are asked in the order in which they were added; the first that answers wins. Then the defaults speak:</para>
/// <list type="bullet">
/// <item>a result is a <see cref="Verdict.Success"/>;</item>
/// <item>an <see cref="OperationCanceledException"/> while the call's own token is cancelled is <see cref="Verdict.Ignored"/>
/// (a policy that cancelled the token itself, such as a timeout, turns it into what it means); otherwise it is a
/// <see cref="Verdict.Failure"/>: somebody below timed out;</item>
/// <item>a <see cref="ResilienceException"/> from a pipeline inside the delegate, or another exception that
/// <see cref="ICarriesRefusal">carries a refusal</see>, is <see cref="Verdict.Rejected"/>;</item>
/// <item>errors of the program, not of the dependency (<see cref="ArgumentException"/>, <see cref="NotSupportedException"/>,
/// <see cref="NotImplementedException"/>, <see cref="NullReferenceException"/>, <see cref="InvalidCastException"/>,
/// <see cref="IndexOutOfRangeException"/>, <see cref="ObjectDisposedException"/>) are <see cref="Verdict.Ignored"/>;</item>
/// <item>every other exception is a <see cref="Verdict.Failure"/>.</item>
/// </list>
/// <para>A rule that throws, or answers with <see cref="Verdict.None"/> or an impossible verdict, is passed over and counted in
/// <c>resilience.callback.errors</c>: a broken rule never breaks a call.</para>
/// </remarks>
public sealed class OutcomeClassifier
{
    /// <summary>The defaults alone.</summary>
    public static OutcomeClassifier Default { get; } = new([], [], [], [], []);

    private readonly ImmutableArray<Func<Exception, Verdict?>> _exceptionRules;
    private readonly ImmutableArray<(Type Result, Delegate Rule)> _resultRules;
    private readonly ImmutableArray<(Type Result, Delegate Name)> _resultNames;
    private readonly ImmutableArray<(Type Result, Delegate RetryAfter)> _retryAfters;
    private readonly ImmutableArray<Func<Exception, string?>> _exceptionNames;

    private OutcomeClassifier(
        ImmutableArray<Func<Exception, Verdict?>> exceptionRules,
        ImmutableArray<(Type, Delegate)> resultRules,
        ImmutableArray<(Type, Delegate)> resultNames,
        ImmutableArray<(Type, Delegate)> retryAfters,
        ImmutableArray<Func<Exception, string?>> exceptionNames)
    {
        _exceptionNames = exceptionNames;
        _exceptionRules = exceptionRules;
        _resultRules = resultRules;
        _resultNames = resultNames;
        _retryAfters = retryAfters;
    }

    /// <summary>Exceptions of this type (or derived) get this verdict.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The verdict is not one that an exception can have.</exception>
    public OutcomeClassifier On<TException>(Verdict verdict)
        where TException : Exception
    {
        if (!FitsException(verdict))
            throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "An exception is a Failure, Ignored or Rejected.");
        return OnException(exception => exception is TException ? verdict : null);
    }

    /// <summary>Exceptions of this type (or derived) are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public OutcomeClassifier On<TException>(Func<TException, Verdict?> rule)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(rule);
        return OnException(exception => exception is TException typed ? rule(typed) : null);
    }

    /// <summary>Results of exactly this type are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public OutcomeClassifier OnResult<T>(Func<T, Verdict?> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_exceptionRules, _resultRules.Add((typeof(T), rule)), _resultNames, _retryAfters, _exceptionNames);
    }

    /// <summary>Gives bad results of exactly this type a short name of few distinct values ("503"): <c>error.type</c> in telemetry and
    /// <see cref="RetryScheduled.Reason"/>. Null leaves it to "result". The last such rule counts.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public OutcomeClassifier NameResult<T>(Func<T, string?> name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new(_exceptionRules, _resultRules, _resultNames.Add((typeof(T), name)), _retryAfters, _exceptionNames);
    }

    /// <summary>Gives exceptions of this type (or derived) a short name of few distinct values ("connection_error"): <c>error.type</c> in
    /// telemetry and <see cref="RetryScheduled.Reason"/>. Null leaves it to the next such rule, then to the name of the type.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public OutcomeClassifier NameException<TException>(Func<TException, string?> name)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(name);
        return new(
            _exceptionRules, _resultRules, _resultNames, _retryAfters, _exceptionNames.Add(exception => exception is TException typed ? name(typed) : null));
    }

    /// <summary>Reads from bad results of exactly this type when it is worth trying again, measured from now on the pipeline's time. Every
    /// retry honors it; one beyond <see cref="RetryOptions.MaxRetryAfter"/> ends the call. Null, zero or a negative span: the result does not say. The last
    /// such rule counts.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="retryAfter"/> is null.</exception>
    public OutcomeClassifier RetryAfterResult<T>(Func<T, TimeProvider, TimeSpan?> retryAfter)
    {
        ArgumentNullException.ThrowIfNull(retryAfter);
        return new(_exceptionRules, _resultRules, _resultNames, _retryAfters.Add((typeof(T), retryAfter)), _exceptionNames);
    }

    /// <summary>The number of its rules: "default", or "2 rules for exceptions and 1 for results, then default".</summary>
    public override string ToString() => _exceptionRules.Length + _resultRules.Length == 0
        ? "default"
        : string.Create(
            CultureInfo.InvariantCulture, $"{_exceptionRules.Length} rules for exceptions and {_resultRules.Length} for results, then default");

    private OutcomeClassifier OnException(Func<Exception, Verdict?> rule) =>
        new(_exceptionRules.Add(rule), _resultRules, _resultNames, _retryAfters, _exceptionNames);

    /// <summary>Judges one exception. <paramref name="callCancelled"/>: was the token that the delegate received cancelled?</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public Verdict Classify(Exception exception, bool callCancelled)
    {
        ArgumentNullException.ThrowIfNull(exception);

        // Our caller's withdrawal is nobody's failure; no rule may turn it into one.
        if (callCancelled && exception is OperationCanceledException) return Verdict.Ignored;

        foreach (Func<Exception, Verdict?> rule in _exceptionRules)
        {
            if (Ask(rule, exception) is { } verdict && FitsException(verdict)) return verdict;
        }

        return exception switch
        {
            ResilienceException or ICarriesRefusal { Refusal: not null } => Verdict.Rejected,
            ArgumentException or NotSupportedException or NotImplementedException or NullReferenceException
                or InvalidCastException or IndexOutOfRangeException or ObjectDisposedException => Verdict.Ignored,
            _ => Verdict.Failure,
        };
    }

    /// <summary>The low-cardinality name of what went wrong; null when nothing did.</summary>
    internal string? ErrorTypeOf(object? error)
    {
        if (error is Exception exception)
        {
            foreach (Func<Exception, string?> rule in _exceptionNames)
            {
                if (Ask(rule, exception) is { } name) return name;
            }
        }

        return ResilienceTelemetry.ErrorTypeOf(error);
    }

    /// <summary>The rules for one result type folded into one, or null when results of this type always succeed.</summary>
    internal Func<T, Verdict>? BindResult<T>()
    {
        Func<T, Verdict?>[] rules = [.. _resultRules.Where(r => r.Result == typeof(T)).Select(r => (Func<T, Verdict?>)r.Rule)];
        if (rules.Length == 0) return null;
        return result =>
        {
            foreach (Func<T, Verdict?> rule in rules)
            {
                if (Ask(rule, result) is { } verdict && verdict is Verdict.Success or Verdict.Failure or Verdict.Ignored) return verdict;
            }

            return Verdict.Success;
        };
    }

    /// <summary>The name of a bad result of this type, or null when no rule names such results.</summary>
    internal Func<T, string?>? BindName<T>()
    {
        if (_resultNames.LastOrDefault(r => r.Result == typeof(T)).Name is not Func<T, string?> name) return null;
        return result => Ask(name, result);
    }

    /// <summary>When a bad result of this type says to come back, or null when no rule reads that.</summary>
    internal Func<T, TimeProvider, TimeSpan?>? BindRetryAfter<T>()
    {
        if (_retryAfters.LastOrDefault(r => r.Result == typeof(T)).RetryAfter is not Func<T, TimeProvider, TimeSpan?> read) return null;
        return (result, time) => Ask(static asked => asked.read(asked.result, asked.time), (read, result, time)) is { } span && span >= TimeSpan.Zero
            ? span
            : null;
    }

    private static TAnswer? Ask<TArg, TAnswer>(Func<TArg, TAnswer?> rule, TArg argument)
    {
        try
        {
            return rule(argument);
        }
        catch (Exception error)
        {
            Safely.Report("classifier", error);
            return default;
        }
    }

    private static bool FitsException(Verdict verdict) => verdict is Verdict.Failure or Verdict.Ignored or Verdict.Rejected;
}
