namespace Resilience;

/// <summary>Knows how many calls are under way for longer than the slow-call threshold, without knowing the calls: counts them by
/// the slot of time they began in.</summary>
/// <remarks>
/// <code>
///  63                                  24 23      20 19                 0
/// ┌──────────────────────────────────────┬──────────┬────────────────────┐
/// │   stamp: the slot of their beginning │ latest of│  calls that began  │
/// │               40 bits                │ them, 4  │  in it, 20 bits    │
/// └──────────────────────────────────────┴──────────┴────────────────────┘
/// </code>
/// <para>
/// A ring of one-word slots. The slot is an eighth of the threshold, the ring covers twice the threshold; a slot also says in which
/// sixteenth of it the latest of its calls began. When a slot is needed again, the calls still counted in it are older than the
/// threshold: they move to <see cref="_older"/>. Between those two steps of one thread a call may be counted in neither place for an
/// instant; the view is a moment's, and errs by at most that call.
/// </para>
/// <para>
/// When the threshold is changed, calls that begin from then on are counted in a new ring, and those under way stay in the one in which
/// they began, which their permits name by its <see cref="Number"/>: both are asked, by the new threshold. No call changes its place, so
/// none is lost or counted twice, and each is as old as it is.
/// </para>
/// </remarks>
internal sealed class CallsInFlight
{
    internal const int StampBits = 40;
    internal const int LatestBits = 4;
    internal const int CountBits = 20;

    /// <summary>The number of a ring fits a permit beside the time.</summary>
    internal const int NumberBits = 15;

    private const int Slots = 16;
    private const int StampShift = LatestBits + CountBits;
    private const long CountMask = (1L << CountBits) - 1;
    private const long LatestMask = (1L << LatestBits) - 1;

    private readonly long _slotMs;
    private readonly long[] _ring = new long[Slots];
    private readonly CallsInFlight? _former; // of another threshold, with calls that are still under way
    private long _older;
    private long _olderUntilMs = -1; // the latest beginning of a call that has moved there
    private long _nextLookMs;

    internal CallsInFlight(long thresholdMs, int version = 0, CallsInFlight? former = null)
    {
        ThresholdMs = thresholdMs;
        Version = version;
        Number = former is null ? 0 : (former.Number + 1) & ((1 << NumberBits) - 1);
        _slotMs = Math.Max(1, thresholdMs / 8);
        while (former is { IsEmpty: true }) former = former._former;
        _former = former;
    }

    internal long ThresholdMs { get; }

    /// <summary>Of the settings that asked for it: settings that are older do not replace it.</summary>
    internal int Version { get; }

    internal int Number { get; }

    private bool IsEmpty => Counted(long.MaxValue / 2, 0) == 0;

    /// <summary>A call begins.</summary>
    internal void Begin(long nowMs)
    {
        long slot = nowMs / _slotMs, part = ((nowMs % _slotMs) << LatestBits) / _slotMs;
        ref long word = ref _ring[slot & (Slots - 1)];
        long seen = Volatile.Read(ref word);
        while (true)
        {
            long stamp = seen >>> StampShift;
            if (stamp > slot || (stamp == slot && (seen & CountMask) == CountMask))
            {
                // Our clock reading is two thresholds old: count the call where it would be by now. (Or a million began within the slot.)
                Age(1, nowMs);
                return;
            }

            long next = stamp != slot ? (slot << StampShift) | (part << CountBits) | 1
                : part > ((seen >> CountBits) & LatestMask) ? ((seen & ~(LatestMask << CountBits)) | (part << CountBits)) + 1
                : seen + 1;
            long found = Interlocked.CompareExchange(ref word, next, seen);
            if (found == seen)
            {
                if (stamp != slot && (seen & CountMask) > 0) Age(seen & CountMask, LatestOf(seen));
                return;
            }

            seen = found;
        }
    }

    /// <summary>A call that began in the ring of this number at <paramref name="startedMs"/> ends.</summary>
    internal void End(int number, long startedMs)
    {
        CallsInFlight? ring = this;
        while (ring is not null && ring.Number != number) ring = ring._former;
        ring?.End(startedMs);
    }

    internal void End(long startedMs)
    {
        long slot = startedMs / _slotMs;
        ref long word = ref _ring[slot & (Slots - 1)];
        long seen = Volatile.Read(ref word);
        while (seen >>> StampShift == slot && (seen & CountMask) > 0)
        {
            // Pairs with Begin: the count leaves the slot only while the slot is still ours.
            long found = Interlocked.CompareExchange(ref word, seen - 1, seen);
            if (found == seen) return;
            seen = found;
        }

        Interlocked.Decrement(ref _older);
    }

    /// <summary>How many have been under way for at least the threshold (to within a slot).</summary>
    internal int Overdue(long nowMs) => Overdue(nowMs, ThresholdMs);

    /// <summary>How many, also in the rings of former thresholds, have been under way for at least so long. None is counted early; one of
    /// a ring for shorter calls may be counted late, when its beginning has been forgotten.</summary>
    internal int Overdue(long nowMs, long thresholdMs)
    {
        long overdue = 0;
        for (CallsInFlight? ring = this; ring is not null; ring = ring._former) overdue += Math.Max(0, ring.Counted(nowMs, thresholdMs));
        return (int)Math.Min(overdue, int.MaxValue);
    }

    /// <summary>True for one caller per slot of time: the one that takes the trouble to look.</summary>
    internal bool IsTimeToLook(long nowMs)
    {
        long due = Volatile.Read(ref _nextLookMs);
        return nowMs >= due && Interlocked.CompareExchange(ref _nextLookMs, nowMs + _slotMs, due) == due;
    }

    private long Counted(long nowMs, long thresholdMs)
    {
        // Acquire: pairs with the exchange in Age, so that the time is that of the calls, or later.
        long counted = Volatile.Read(ref _older);
        if (nowMs - Volatile.Read(ref _olderUntilMs) < thresholdMs) counted = 0;
        foreach (ref long word in _ring.AsSpan())
        {
            long seen = Volatile.Read(ref word);
            if ((seen & CountMask) > 0 && nowMs - LatestOf(seen) >= thresholdMs) counted += seen & CountMask;
        }

        return counted;
    }

    /// <summary>The last millisecond at which a call of this slot can have begun.</summary>
    private long LatestOf(long word)
    {
        long parts = ((word >> CountBits) & LatestMask) + 1;
        return ((word >>> StampShift) * _slotMs) + (((parts * _slotMs) + LatestMask) >> LatestBits) - 1;
    }

    private void Age(long calls, long latestMs)
    {
        long until = Volatile.Read(ref _olderUntilMs);
        while (until < latestMs)
        {
            long found = Interlocked.CompareExchange(ref _olderUntilMs, latestMs, until);
            if (found == until) break;
            until = found;
        }

        Interlocked.Add(ref _older, calls);
    }
}
