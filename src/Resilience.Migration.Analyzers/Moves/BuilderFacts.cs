namespace Resilience.Migration;

/// <summary>What the strategies of one builder, or of one policy of the old API, handle, each in its turn, and which others stand inside of it. An outcome
/// is judged once, by the outermost: so what any of them handles is a failure there, and what a single one does not is narrowed where it is made.</summary>
internal sealed class BuilderFacts
{
    private const int MaxDepth = 8; // of pipelines in pipelines

    private readonly List<IReadOnlyList<HandledOutcome>> _handled = [];
    private readonly List<BuilderFacts> _inside = [], _around = [];

    /// <summary>Where these are the facts of options: the builders that have them.</summary>
    internal HashSet<BuilderFacts> Users { get; } = [];

    /// <summary>Is a time limit among them? What it ends is a failure that no rule is asked about.</summary>
    internal bool HasTimeout => Timeouts > 0;

    internal int Timeouts { get; set; }

    /// <summary>Has it strategies that ask at all?</summary>
    internal bool IsReactive => All(MaxDepth).Any();

    /// <summary>All that any of them handles; what a single one does not is narrowed there.</summary>
    internal IReadOnlyList<HandledOutcome> Union
    {
        get
        {
            IReadOnlyList<HandledOutcome>[] all = [.. All(MaxDepth)];
            if (all.All(h => TextOf(h) == TextOf(all[0]))) return all[0];
            return all.Any(static h => ReferenceEquals(h, HandledOutcome.Default))
                ? [.. all.SelectMany(static h => h).Where(static h => h.IsResult).GroupBy(static h => h.Text).Select(static g =>
                    g.First()), .. HandledOutcome.Default]
                : [.. all.SelectMany(static h => h).GroupBy(static h => h.Text).Select(static g => g.First())];
        }
    }

    internal void Add(IReadOnlyList<HandledOutcome> handled) => _handled.Add(handled);

    internal void AddInside(BuilderFacts other)
    {
        if (_inside.Contains(other)) return;
        _inside.Add(other);
        other._around.Add(this);
    }

    /// <summary>Must a strategy that handles this say so itself, here or where the whole is used?</summary>
    internal bool IsNarrower(IReadOnlyList<HandledOutcome> handled) => IsNarrower(handled, MaxDepth);

    private bool IsNarrower(IReadOnlyList<HandledOutcome> handled, int depth) => TextOf(handled) != TextOf(Union)
        || handled.Any(static h => h.IsRejection) || (MayTimeOut(depth) && !handled.Any(static h => h.IsAnyTimeout))
        || (depth > 0 && _around.Any(a => a.IsNarrower(handled, depth - 1)));

    private bool MayTimeOut(int depth) => HasTimeout || (depth > 0 && _inside.Any(i => i.MayTimeOut(depth - 1)));

    private IEnumerable<IReadOnlyList<HandledOutcome>> All(int depth) =>
        depth == 0 ? _handled : _handled.Concat(_inside.SelectMany(i => i.All(depth - 1)));

    private static string TextOf(IReadOnlyList<HandledOutcome> handled) => string.Join("|", handled.Select(static h => h.Text));
}
