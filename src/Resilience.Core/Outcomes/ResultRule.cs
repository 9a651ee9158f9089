using System.Collections.Immutable;

namespace Resilience;

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
    internal int? RankFor<T>() => RankFor(typeof(T));

    /// <inheritdoc cref="RankFor{T}"/>
    internal int? RankFor(Type call) =>
        call == typeof(Nothing) ? null // calls without a result
        : Result == call ? Exact
        : Result.IsAssignableFrom(call) ? Base
        : call.IsAssignableFrom(Result) ? Derived
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
