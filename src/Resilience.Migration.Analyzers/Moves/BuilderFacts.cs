namespace Resilience.Migration;

/// <summary>What the strategies of one builder handle, each in its turn.</summary>
internal sealed class BuilderFacts
{
    private readonly List<IReadOnlyList<HandledOutcome>> _handled = [];

    /// <summary>Has it strategies that ask at all?</summary>
    internal bool IsReactive => _handled.Count > 0;

    /// <summary>All that any of them handles; what a single one does not is narrowed there.</summary>
    internal IReadOnlyList<HandledOutcome> Union
    {
        get
        {
            if (_handled.All(h => TextOf(h) == TextOf(_handled[0]))) return _handled[0];
            return _handled.Any(static h => ReferenceEquals(h, HandledOutcome.Default))
                ? [.. _handled.SelectMany(static h => h).Where(static h => h.IsResult).GroupBy(static h => h.Text).Select(static g =>
                    g.First()), .. HandledOutcome.Default]
                : [.. _handled.SelectMany(static h => h).GroupBy(static h => h.Text).Select(static g => g.First())];
        }
    }

    internal void Add(IReadOnlyList<HandledOutcome> handled) => _handled.Add(handled);

    internal bool IsNarrower(IReadOnlyList<HandledOutcome> handled) => TextOf(handled) != TextOf(Union);

    private static string TextOf(IReadOnlyList<HandledOutcome> handled) => string.Join("|", handled.Select(static h => h.Text));
}
