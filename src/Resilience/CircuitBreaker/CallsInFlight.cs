namespace Resilience;

/// <summary>Knows how many calls are under way for longer than the slow-call threshold, without knowing the calls: counts them by
/// the slot of time they began in.</summary>
/// <remarks>
/// A ring of one-word slots, stamp (40 bits) and count (24 bits). The slot is an eighth of the threshold, the ring covers
/// twice the threshold. When a slot is needed again, the calls still counted in it are older than the threshold: they move to
/// <see cref="_older"/>. Between those two steps of one thread a call may be counted in neither place for an instant; the
/// view is a moment's, and errs by at most that call.
/// </remarks>
internal sealed class CallsInFlight(long thresholdMs)
{
    private const int Slots = 16;
    private const int CountBits = 24;
    private const long CountMask = (1L << CountBits) - 1;

    private readonly long _slotMs = Math.Max(1, thresholdMs / 8);
    private readonly long[] _ring = new long[Slots];
    private long _older;
    private long _nextLookMs;

    /// <summary>A call begins.</summary>
    internal void Begin(long nowMs)
    {
        long slot = nowMs / _slotMs;
        ref long word = ref _ring[slot & (Slots - 1)];
        long seen = Volatile.Read(ref word);
        while (true)
        {
            long stamp = seen >>> CountBits;
            if (stamp > slot)
            {
                // Our clock reading is two thresholds old: count the call where it would be by now.
                Interlocked.Increment(ref _older);
                return;
            }

            long next = stamp == slot ? seen + 1 : (slot << CountBits) | 1;
            long found = Interlocked.CompareExchange(ref word, next, seen);
            if (found == seen)
            {
                if (stamp != slot) Interlocked.Add(ref _older, seen & CountMask);
                return;
            }

            seen = found;
        }
    }

    /// <summary>A call that began at <paramref name="startedMs"/> ends.</summary>
    internal void End(long startedMs)
    {
        long slot = startedMs / _slotMs;
        ref long word = ref _ring[slot & (Slots - 1)];
        long seen = Volatile.Read(ref word);
        while (seen >>> CountBits == slot && (seen & CountMask) > 0)
        {
            // Pairs with Begin: the count leaves the slot only while the slot is still ours.
            long found = Interlocked.CompareExchange(ref word, seen - 1, seen);
            if (found == seen) return;
            seen = found;
        }

        Interlocked.Decrement(ref _older);
    }

    /// <summary>How many have been under way for at least the threshold (to within a slot).</summary>
    internal int Overdue(long nowMs)
    {
        long youngest = (nowMs - thresholdMs) / _slotMs; // zero or less while no call can be that old
        long overdue = Volatile.Read(ref _older);
        foreach (ref long word in _ring.AsSpan())
        {
            long seen = Volatile.Read(ref word);
            if (seen != 0 && seen >>> CountBits < youngest) overdue += seen & CountMask;
        }

        return (int)Math.Clamp(overdue, 0, int.MaxValue);
    }

    /// <summary>True for one caller per slot of time: the one that takes the trouble to look.</summary>
    internal bool IsTimeToLook(long nowMs)
    {
        long due = Volatile.Read(ref _nextLookMs);
        return nowMs >= due && Interlocked.CompareExchange(ref _nextLookMs, nowMs + _slotMs, due) == due;
    }
}
