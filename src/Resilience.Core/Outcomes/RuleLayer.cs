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
