using System.Collections.Immutable;
using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>Decides, once per attempt, what an outcome means. Immutable and thread-safe; each method returns a new classifier.</summary>
/// <remarks>
/// <para>First of all: where the caller's token is cancelled, an exception is <see cref="Verdict.Ignored"/>, whatever it is. Then three layers of rules
/// are asked, in this order wherever they were written:</para>
/// <list type="number">
/// <item>the user's rules, in the order in which they were added; the first that answers wins;</item>
/// <item>tables of transports (<see cref="Table"/>), such as that of HTTP;</item>
/// <item>the defaults.</item>
/// </list>
/// <para>An exception that only wraps others (<see cref="AggregateException"/>, <see cref="System.Reflection.TargetInvocationException"/>, an
/// exception of an object-relational mapper around one of the database) is judged by what it wraps where no rule is for the wrapper. The defaults:</para>
/// <list type="bullet">
/// <item>a result is a <see cref="Verdict.Success"/>;</item>
/// <item>a <see cref="ResilienceException"/> from a pipeline inside the delegate, or another exception that
/// <see cref="ICarriesRejection">carries a rejection</see>, is <see cref="Verdict.Rejected"/>;</item>
/// <item>an <see cref="HttpRequestException"/> with a status is judged by it: 408, 429 and 5xx but for 501, 505 and 511 are a
/// <see cref="Verdict.Failure"/> (429 one that is not counted), other statuses <see cref="Verdict.Ignored"/>;</item>
/// <item>errors of the program or of its surroundings (<see cref="ArgumentException"/>, <see cref="NotSupportedException"/>,
/// <see cref="NotImplementedException"/>, <see cref="NullReferenceException"/>, <see cref="InvalidCastException"/>,
/// <see cref="IndexOutOfRangeException"/>, <see cref="ObjectDisposedException"/>, <see cref="FormatException"/>, <see cref="KeyNotFoundException"/>,
/// a delegate that returned null instead of a task, certificates, credentials, missing files) are <see cref="Verdict.Ignored"/>;</item>
/// <item>every other exception is a <see cref="Verdict.Failure"/>; the page on verdicts has the table.</item>
/// </list>
/// <para>A rule that throws, or answers with <see cref="Verdict.None"/> or a verdict that its kind of outcome cannot have, is passed over and counted in
/// <c>resilience.callback.errors</c>: a broken rule never breaks a call. An impossible answer is also told once as
/// <see cref="RuleVerdictIgnored"/>.</para>
/// </remarks>
public sealed class OutcomeClassifier
{
    private readonly RuleLayer _own;
    private readonly ImmutableArray<RuleLayer> _tables;
    private readonly RuleErrors? _errors; // of the pipeline that it judges for; null: there is no listener

    private OutcomeClassifier(RuleLayer own, ImmutableArray<RuleLayer> tables, RuleErrors? errors = null)
    {
        _own = own;
        _tables = tables;
        _errors = errors;
    }

    /// <summary>The defaults alone.</summary>
    public static OutcomeClassifier Default { get; } = new(RuleLayer.Empty, []);

    /// <summary>Exceptions of this type (or derived) get this verdict.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The verdict is not one that an exception can have.</exception>
    public OutcomeClassifier On<TException>(Verdict verdict)
        where TException : Exception
    {
        if (!FitsException(verdict))
            throw new ArgumentOutOfRangeException(nameof(verdict), verdict, "An exception is a Failure, Ignored or Rejected.");
        return On<TException>((Classification)verdict);
    }

    /// <summary>Exceptions of this type (or derived) are classified so.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The verdict is not one that an exception can have.</exception>
    public OutcomeClassifier On<TException>(Classification classification)
        where TException : Exception
    {
        if (!FitsException(classification.Verdict))
            throw new ArgumentOutOfRangeException(nameof(classification), classification.Verdict, "An exception is a Failure, Ignored or Rejected.");
        return OnException<TException>(exception => exception is TException ? classification : null);
    }

    /// <summary>Exceptions of this type (or derived) are judged by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    [System.Runtime.CompilerServices.OverloadResolutionPriority(1)]
    public OutcomeClassifier On<TException>(Func<TException, Verdict?> rule)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(rule);
        return OnException<TException>(exception => exception is TException typed && rule(typed) is { } verdict ? verdict : default(Classification?));
    }

    /// <summary>Exceptions of this type (or derived) are classified by the rule; null leaves them to the next rule.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public OutcomeClassifier On<TException>(Func<TException, Classification?> rule)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(rule);
        return OnException<TException>(exception => exception is TException typed ? rule(typed) : null);
    }

    /// <summary>Results of this type are judged by the rule; null leaves them to the next rule. A rule for a derived type is asked before one for
    /// the type of the call, and that before one for a base type or an interface.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    [System.Runtime.CompilerServices.OverloadResolutionPriority(1)]
    public OutcomeClassifier OnResult<T>(Func<T, Verdict?> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return OnResult<T>(result => rule(result) is { } verdict ? (Classification)verdict : default(Classification?));
    }

    /// <summary>Results of this type are classified by the rule; null leaves them to the next rule. A rule for a derived type is asked before one
    /// for the type of the call, and that before one for a base type or an interface.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rule"/> is null.</exception>
    public OutcomeClassifier OnResult<T>(Func<T, Classification?> rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        return new(_own with { Results = _own.Results.Add(new VerdictRule<T>(rule)) }, _tables);
    }

    /// <summary>Gives bad results of this type a short name of few distinct values ("503"): <c>error.type</c> in telemetry and
    /// <see cref="RetryScheduled.Reason"/>. Of several such rules the last is asked first; null leaves it to the one before, then to "result".</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public OutcomeClassifier NameResult<T>(Func<T, string?> name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return new(_own with { Names = _own.Names.Add(new NameRule<T>(name)) }, _tables);
    }

    /// <summary>Gives exceptions of this type (or derived) a short name of few distinct values ("connection_error"): <c>error.type</c> in
    /// telemetry and <see cref="RetryScheduled.Reason"/>. Null leaves it to the next such rule, then to the name of the type.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    public OutcomeClassifier NameException<TException>(Func<TException, string?> name)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(name);
        return new(_own with { ExceptionNames = _own.ExceptionNames.Add(exception => exception is TException typed ? name(typed) : null) }, _tables);
    }

    /// <summary>Reads from bad results of this type when it is worth trying again, measured from now on the pipeline's time. Every
    /// retry honors it; one beyond <see cref="RetryOptions.MaxRetryAfter"/> ends the call. Null, zero or a negative span: the result does not say. The last
    /// such rule counts.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="retryAfter"/> is null.</exception>
    public OutcomeClassifier RetryAfterResult<T>(Func<T, TimeProvider, TimeSpan?> retryAfter)
    {
        ArgumentNullException.ThrowIfNull(retryAfter);
        return new(_own with { RetryAfters = _own.RetryAfters.Add(new RetryAfterRule<T>(retryAfter)) }, _tables);
    }

    /// <summary>Adds the rules of a transport, for the authors of such tables: they are asked after all rules of the user and before the defaults,
    /// wherever either was written. A table of the same name is replaced.</summary>
    /// <param name="name">What <see cref="ToString"/> and the pipeline's description call it.</param>
    /// <param name="rules">Adds the rules to an empty classifier.</param>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty.</exception>
    public OutcomeClassifier Table(string name, Func<OutcomeClassifier, OutcomeClassifier> rules)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(rules);
        OutcomeClassifier made = rules(Default) ?? throw new ArgumentException("The rules are null.", nameof(rules));
        RuleLayer[] added = [made._own with { Name = name }, .. made._tables];
        return new(_own, [.. _tables.Where(t => added.All(a => a.Name != t.Name)), .. added.Where(a => !a.IsEmpty)]);
    }

    /// <summary>The layers and the number of their rules: "default", or "2 rules for exceptions and 1 for results, then HTTP: 1 rule for exceptions
    /// and 1 for results, overridden by 1, then default". What overrides a table are rules of the user for its types of exceptions or results, or for types
    /// above or below them.</summary>
    public override string ToString() =>
        string.Join(", then ", Layers.Where(l => l.Exceptions.Length + l.Results.Length + l.Later.Length > 0).Select(TextOf).Append("default"));

    /// <summary>Judges one exception. <paramref name="callCancelled"/>: was the caller's token cancelled?</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public Verdict Classify(Exception exception, bool callCancelled) => Judge(exception, callCancelled).Verdict;

    /// <summary>Judges one exception, with all that the rules say of it. <paramref name="callCancelled"/>: was the caller's token cancelled?</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public Classification Judge(Exception exception, bool callCancelled)
    {
        ArgumentNullException.ThrowIfNull(exception);

        // Our caller's cancellation is no failure; no rule may turn it into one.
        return callCancelled ? Verdict.Ignored : DefaultVerdicts.Judge(exception, this);
    }

    /// <summary>What the rules, ours and the user's, say of exactly this exception; null: none is for it.</summary>
    internal Classification? AskRules(Exception exception) => AskLayer(_own, exception) ?? AskTables(exception);

    /// <summary>The low-cardinality name of what went wrong; null when nothing did.</summary>
    internal string? ErrorTypeOf(object? error)
    {
        if (error is Exception exception)
        {
            foreach (RuleLayer layer in Layers)
            {
                foreach (Func<Exception, string?> rule in layer.ExceptionNames)
                {
                    if (Ask(rule, exception) is { } name) return name;
                }
            }
        }

        return ResilienceTelemetry.ErrorTypeOf(error);
    }

    /// <summary>The same rules and one that is asked where the user's others for results are silent, and awaited.</summary>
    internal OutcomeClassifier With(ResultRule later) => new(_own with { Later = _own.Later.Add(later) }, _tables);

    /// <summary>The rules for one result type that are awaited, in the order in which they are asked.</summary>
    internal ResultRule[] LaterFor<T>() => ResultRule.For<T>(Layers.Select(static l => l.Later));

    /// <summary>Whether a result can be what a rule has answered; if not, that is counted and told.</summary>
    internal bool Accepts(Classification answer)
    {
        if (FitsResult(answer.Verdict)) return true;
        Reject(answer.Verdict, isResult: true);
        return false;
    }

    /// <summary>The rules for one result type folded into one, or null when results of this type always succeed. Without those that are awaited.</summary>
    internal Func<T, Classification>? BindResult<T>() => Fold<T>(Layers, Verdict.Success);

    /// <summary>The same for the bottom of a chain. Where there are rules that are awaited these are the user's own alone, and they claim nothing
    /// (<see cref="Verdict.None"/>) of a result of which none of them speaks: then those are asked, and then the tables.</summary>
    internal Func<T, Classification>? BindFirst<T>() => LaterFor<T>().Length == 0 ? BindResult<T>() : Fold<T>([_own], default) ?? (static _ => default);

    /// <summary>The rules of tables for one result type folded into one, or null when there are none.</summary>
    internal Func<T, Classification>? BindTables<T>() => Fold<T>(_tables, Verdict.Success);

    private Func<T, Classification>? Fold<T>(IEnumerable<RuleLayer> layers, Classification ofSilence)
    {
        Func<T, Classification?>[] rules = [.. ResultRule.For<T>(layers.Select(static l => l.Results)).Select(static r => r.BindVerdict<T>())];
        if (rules.Length == 0) return null;
        return result =>
        {
            foreach (Func<T, Classification?> rule in rules)
            {
                if (Ask(rule, result) is { } answer && Accepts(answer)) return answer;
            }

            return ofSilence;
        };
    }

    /// <summary>The name of a bad result of this type, or null when no rule names such results.</summary>
    internal Func<T, string?>? BindName<T>()
    {
        Func<T, string?>[] rules = [.. ResultRule.For<T>(Layers.Select(static l => l.Names), lastFirst: true).Select(static r => r.BindName<T>())];
        if (rules.Length == 0) return null;
        return result =>
        {
            foreach (Func<T, string?> rule in rules)
            {
                if (Ask(rule, result) is { } name) return name;
            }

            return null;
        };
    }

    /// <summary>When a bad result of this type says to come back, or null when no rule reads that.</summary>
    internal Func<T, TimeProvider, TimeSpan?>? BindRetryAfter<T>()
    {
        Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)>[] rules =
            [.. ResultRule.For<T>(Layers.Select(static l => l.RetryAfters), lastFirst: true).Select(static r => r.BindRetryAfter<T>())];
        if (rules.Length == 0) return null;
        return (result, time) =>
        {
            foreach (Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)> read in rules)
            {
                (bool speaks, TimeSpan? wait) = AskWhen(read, result, time);
                if (speaks) return wait is { } span && span >= TimeSpan.Zero ? span : null;
            }

            return null;
        };
    }

    /// <summary>The types of results of which the user's rules speak, where none of them can be asked of a call that gives this type; empty where one can.
    /// A classifier may be shared by pipelines of several types, so one that speaks of this type too is no mistake.</summary>
    internal IReadOnlyList<Type> ResultsNeverMet(Type call)
    {
        ResultRule[] rules = [.. _own.Results, .. _own.Later];
        return rules.Any(r => r.RankFor(call) is not null) ? [] : [.. rules.Select(static r => r.Result).Distinct()];
    }

    /// <summary>The same rules; impossible answers are told to the listeners of this pipeline.</summary>
    internal OutcomeClassifier TellingOf(RuleErrors errors) => new(_own, _tables, errors);

    private string TextOf(RuleLayer layer)
    {
        int overriding = ReferenceEquals(layer, _own) ? 0 : _own.CountOverriding(layer);
        return overriding == 0 ? layer.ToString() : string.Create(CultureInfo.InvariantCulture, $"{layer}, overridden by {overriding}");
    }

    private IEnumerable<RuleLayer> Layers => _tables.Prepend(_own);

    private OutcomeClassifier OnException<TException>(Func<Exception, Classification?> rule) =>
        new(_own with { Exceptions = _own.Exceptions.Add(new(typeof(TException), rule)) }, _tables);

    private Classification? AskTables(Exception exception)
    {
        foreach (RuleLayer table in _tables)
        {
            if (AskLayer(table, exception) is { } answer) return answer;
        }

        return null;
    }

    private Classification? AskLayer(RuleLayer layer, Exception exception)
    {
        foreach (ExceptionRule rule in layer.Exceptions)
        {
            if (Ask(rule.Judge, exception) is not { } answer) continue;
            if (FitsException(answer.Verdict)) return answer;
            Reject(answer.Verdict, isResult: false);
        }

        return null;
    }

    private static TResult? Ask<TArg, TResult>(Func<TArg, TResult?> rule, TArg argument)
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

    /// <summary>A reader that throws has spoken: the result does not say.</summary>
    private static (bool Speaks, TimeSpan? Wait) AskWhen<T>(Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)> read, T result, TimeProvider time)
    {
        try
        {
            return read(result, time);
        }
        catch (Exception error)
        {
            Safely.Report("classifier", error);
            return (true, null);
        }
    }

    private void Reject(Verdict verdict, bool isResult)
    {
        string kind = isResult ? "a result" : "an exception";
        string told = $"A rule returned the verdict {VerdictNames.Of(verdict)}, which is not possible for {kind}.";
        Safely.Report("classifier", new InvalidOperationException(told));
        _errors?.Tell(verdict, isResult);
    }

    private static bool FitsException(Verdict verdict) => verdict is Verdict.Failure or Verdict.Ignored or Verdict.Rejected;

    private static bool FitsResult(Verdict verdict) => verdict is Verdict.Success or Verdict.Failure or Verdict.Ignored;
}
