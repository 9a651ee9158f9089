using Resilience.Overload;

namespace Resilience;

/// <summary>Who waits, by class, and who is next. Not thread-safe: its owner holds a lock. Times are ticks of its owner's line.</summary>
/// <remarks>
/// The highest class goes first. Within a class the oldest goes first, unless the class is standing: not empty for longer than a while. Then the newest goes
/// first, and one that is older than a few milliseconds when its turn comes is rejected (controlled delay; Nichols and Jacobson 2012, Maurer, "Fail at Scale",
/// 2015). Each class has a delay of its own: with one for all, the lower classes keep the queue from becoming empty and the highest pays for it.
/// </remarks>
internal sealed class ClassQueue<TWaiter>
    where TWaiter : class
{
    private readonly Line[] _lines = [new(), new(), new(), new()];

    internal int Count { get; private set; }

    internal int CountOf(Criticality criticality) => _lines[(int)criticality].Waiters.Count;

    /// <summary>Whether a call of this class may wait: there is room, or a waiter of a lower class would have to go.</summary>
    internal bool HasRoom(Criticality criticality, int max) => Count < max || LowestBelow(criticality) is not null;

    /// <summary>Adds a waiter for which there is room.</summary>
    /// <param name="waiter">Who waits.</param>
    /// <param name="criticality">Its class.</param>
    /// <param name="now">The moment.</param>
    /// <param name="until">Until when it waits.</param>
    /// <param name="max">How many may wait.</param>
    /// <param name="evicted">Who had to go for it: the newest of the lowest class below its own.</param>
    internal LinkedListNode<Waiting> Add(TWaiter waiter, Criticality criticality, long now, long until, int max, out TWaiter? evicted)
    {
        evicted = null;
        if (Count >= max && LowestBelow(criticality) is { } lowest)
        {
            evicted = lowest.Waiters.Last!.Value.Waiter;
            Remove(lowest.Waiters.Last!, now);
        }

        Line line = _lines[(int)criticality];
        if (line.Waiters.Count == 0) line.EmptyAt = now;
        Count++;
        return line.Waiters.AddLast(new Waiting(waiter, criticality, now, until));
    }

    internal void Remove(LinkedListNode<Waiting> node, long now)
    {
        Line line = _lines[(int)node.Value.Criticality];
        line.Waiters.Remove(node);
        Count--;
        if (line.Waiters.Count == 0) line.EmptyAt = now;
    }

    /// <summary>Who is next; null when no call waits. It stays in the queue.</summary>
    /// <param name="now">The moment.</param>
    /// <param name="terms">How long a class may stand, and how old its newest may be then.</param>
    /// <param name="rejected">Not null: it has come too late, for this reason.</param>
    internal LinkedListNode<Waiting>? Next(long now, QueueTerms terms, out AdaptiveLimitReason? rejected)
    {
        rejected = null;
        for (int i = _lines.Length - 1; i >= 0; i--)
        {
            Line line = _lines[i];
            if (line.Waiters.Count == 0) continue;
            bool isStanding = now - line.EmptyAt > terms.StandingAfter;
            LinkedListNode<Waiting> next = isStanding ? line.Waiters.Last! : line.Waiters.First!;
            if (now >= next.Value.Until) rejected = AdaptiveLimitReason.WaitedTooLong;
            else if (isStanding && now - next.Value.Since > terms.StandingWait) rejected = AdaptiveLimitReason.Standing;
            return next;
        }

        return null;
    }

    private Line? LowestBelow(Criticality criticality)
    {
        for (int i = 0; i < (int)criticality; i++)
        {
            if (_lines[i].Waiters.Count > 0) return _lines[i];
        }

        return null;
    }

    /// <summary>One that waits.</summary>
    internal readonly record struct Waiting(TWaiter Waiter, Criticality Criticality, long Since, long Until);

    private sealed class Line
    {
        internal LinkedList<Waiting> Waiters { get; } = new();

        /// <summary>When it was last empty.</summary>
        internal long EmptyAt { get; set; }
    }
}
