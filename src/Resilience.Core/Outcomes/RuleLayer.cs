using System.Collections.Immutable;
using System.Globalization;

namespace Resilience;

/// <summary>Rules of one origin: the user's, or those of one table. Immutable.</summary>
internal sealed record RuleLayer(
    string Name,
    ImmutableArray<ExceptionRule> Exceptions,
    ImmutableArray<ResultRule> Results,
    ImmutableArray<ResultRule> Later,
    ImmutableArray<ResultRule> Names,
    ImmutableArray<ResultRule> RetryAfters,
    ImmutableArray<Func<Exception, string?>> ExceptionNames)
{
    internal static readonly RuleLayer Empty = new("", [], [], [], [], [], []);

    internal bool IsEmpty => Exceptions.Length + Results.Length + Later.Length + Names.Length + RetryAfters.Length + ExceptionNames.Length == 0;

    /// <summary>For people: what the layer says of outcomes; rules that only give names are not told.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{(Name.Length == 0 ? "" : Name + ": ")}{Count(Exceptions.Length)} for exceptions and {Results.Length + Later.Length} for results");

    /// <summary>How many rules of this layer can speak of what a table speaks of.</summary>
    internal int CountOverriding(RuleLayer table) =>
        Exceptions.Count(own => table.Exceptions.Any(theirs => Meet(own.Type, theirs.Type)))
        + Results.Concat(Later).Count(own => table.Results.Concat(table.Later).Any(theirs => Meet(own.Result, theirs.Result)));

    private static bool Meet(Type one, Type other) => one.IsAssignableFrom(other) || other.IsAssignableFrom(one);

    private static string Count(int rules) => rules == 1 ? "1 rule" : rules.ToString(CultureInfo.InvariantCulture) + " rules";
}

/// <summary>A rule for exceptions of a type.</summary>
internal readonly record struct ExceptionRule(Type Type, Func<Exception, Classification?> Judge);

/// <summary>A delegate of the user for results of a type, and how it is bound to calls of another.</summary>
/// <remarks>
/// The type of the call is known when a chain is bound, that of the result when it is there. A rule for a derived type knows more than one for
/// the type of the call, and that more than one for a base type or an interface: they are asked in this order (<see cref="RankFor"/>).
/// </remarks>
internal abstract class ResultRule
{
    private const int Derived = 0, Exact = 1, Base = 2;

    internal abstract Type Result { get; }

    /// <summary>The place of this rule among those for calls of type <typeparamref name="T"/>; null when it says nothing of them.</summary>
    internal int? RankFor<T>() =>
        typeof(T) == typeof(Nothing) ? null // calls without a result
        : Result == typeof(T) ? Exact
        : Result.IsAssignableFrom(typeof(T)) ? Base
        : typeof(T).IsAssignableFrom(Result) ? Derived
        : null;

    /// <summary>The rules of all layers that speak of calls of this type, in the order in which they are asked.</summary>
    internal static ResultRule[] For<T>(IEnumerable<ImmutableArray<ResultRule>> layers, bool lastFirst = false) =>
    [
        .. layers.SelectMany(layer => (lastFirst ? layer.Reverse() : layer).Where(static r => r.RankFor<T>() is not null).OrderBy(static r => r.RankFor<T>())),
    ];

    internal virtual Func<T, Classification?> BindVerdict<T>() => throw new InvalidOperationException();

    internal virtual Func<T, string?> BindName<T>() => throw new InvalidOperationException();

    /// <summary>Answers also whether the rule is for this result at all.</summary>
    internal virtual Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)> BindRetryAfter<T>() => throw new InvalidOperationException();
}

/// <summary>A rule that judges.</summary>
internal sealed class VerdictRule<TRule>(Func<TRule, Classification?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, Classification?> BindVerdict<T>() =>
        rule as Func<T, Classification?> ?? (result => result is TRule typed ? rule(typed) : default);
}

/// <summary>A rule that names.</summary>
internal sealed class NameRule<TRule>(Func<TRule, string?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, string?> BindName<T>() => rule as Func<T, string?> ?? (result => result is TRule typed ? rule(typed) : null);
}

/// <summary>A rule that reads when to come back.</summary>
internal sealed class RetryAfterRule<TRule>(Func<TRule, TimeProvider, TimeSpan?> rule) : ResultRule
{
    internal override Type Result => typeof(TRule);

    internal override Func<T, TimeProvider, (bool Speaks, TimeSpan? Wait)> BindRetryAfter<T>() =>
        (result, time) => result is TRule typed ? (true, rule(typed, time)) : default;
}
