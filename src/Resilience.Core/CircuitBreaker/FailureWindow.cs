using System.Diagnostics;

namespace Resilience;

/// <summary>Counts calls and the bad ones among them over a sliding window: a ring of one-word buckets.</summary>
/// <remarks>
/// <code>
///  63                              32 31              16 15               0
/// ┌──────────────────────────────────┬──────────────────┬──────────────────┐
/// │  stamp: the slot it counts for   │       bad        │      calls       │
/// │             32 bits              │     16 bits      │     16 bits      │
/// └──────────────────────────────────┴──────────────────┴──────────────────┘
/// </code>
/// <para>
/// A slot is a stretch of time (or of calls) with a number; a bucket says in its stamp which slot it holds. A thread that finds an
/// older stamp starts the bucket afresh in the same compare-and-swap; one that finds a newer one drops its count. So neither
/// rotation nor reset is a step that could be seen half done: time passing, or a new epoch of the circuit (which numbers its
/// slots further on), makes old buckets stale by themselves.
/// </para>
/// <para>
/// The window is the slot of now and the <c>buckets</c> before it: it never forgets too early, and remembers at most one
/// bucket longer than asked. A bucket whose 16 bits are full is halved, which keeps the ratio. Stamps repeat after 2³² slots:
/// thirteen years of tenth-seconds.
/// </para>
/// <para>
/// Under contention the ring is doubled into stripes, one or more processors each, up to <see cref="MaxStripes"/>; sums read them all.
/// </para>
/// </remarks>
internal sealed class FailureWindow
{
    internal const int StampShift = 32;
    internal const int BadShift = 16;
    internal const long CountMask = 0xFFFF;

    private static readonly int MaxStripes = Math.Min(16, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount));

    private readonly int _buckets;
    private readonly int _mask;
    private readonly int _callsPerBucket; // 0: slots are stretches of time
    private int _head; // the slot being filled, when slots are stretches of calls
    private long[][] _stripes;

    private FailureWindow(int buckets, int callsPerBucket, long madeMs = 0)
    {
        Debug.Assert(buckets > 0, "A window has at least one bucket.");
        _buckets = buckets;
        _callsPerBucket = callsPerBucket;
        MadeMs = madeMs;
        int ring = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)buckets + 1);
        _mask = ring - 1;
        _stripes = [new long[ring]];
    }

    /// <summary>A window over time: the caller numbers the slots.</summary>
    internal static FailureWindow OverTime(int buckets, long madeMs = 0) => new(buckets, 0, madeMs);

    /// <summary>A window over the last <paramref name="calls"/> calls, exact for as many calls as buckets, otherwise up to one bucket more.</summary>
    internal static FailureWindow OverCalls(int calls, int buckets)
    {
        int used = Math.Min(calls, buckets);
        return new(used, (calls + used - 1) / used);
    }

    /// <summary>Counts one call. <paramref name="slot"/> is the slot of now; over calls, the epoch's slot base.</summary>
    internal void Record(uint slot, bool bad)
    {
        if (_callsPerBucket > 0)
        {
            RecordByCount(slot, bad);
            return;
        }

        // Acquire: pairs with the exchange in Grow; rings that we see are initialised.
        long[][] stripes = Volatile.Read(ref _stripes);
        long[] ring = stripes.Length == 1 ? stripes[0] : stripes[Thread.GetCurrentProcessorId() & (stripes.Length - 1)];
        ref long bucket = ref ring[slot & (uint)_mask];
        long seen = Volatile.Read(ref bucket);
        while (true)
        {
            if ((int)((uint)(seen >>> StampShift) - slot) > 0 && seen != 0) return; // the bucket has moved on: ours is history

            // Full fence: the count is visible to all before the counter sums up and decides. Two threads that each count a
            // failure and then sum up cannot both miss the other's: no failure is lost between them.
            long found = Interlocked.CompareExchange(ref bucket, Count(seen, slot, bad), seen);
            if (found == seen) return;
            seen = found;
            Grow(stripes);
        }
    }

    /// <summary>The slots are filled one after the other, so all threads meet in one bucket; it is as wide as the user asked.</summary>
    private void RecordByCount(uint slotBase, bool bad)
    {
        long[] ring = Volatile.Read(ref _stripes)[0];
        while (true)
        {
            int head = Volatile.Read(ref _head);
            uint slot = slotBase + (uint)head;
            ref long bucket = ref ring[slot & (uint)_mask];
            long seen = Volatile.Read(ref bucket);
            int age = (int)((uint)(seen >>> StampShift) - slot);
            if (age > 0 && seen != 0) return; // an epoch later than ours is counting here
            if (age == 0 && (seen & CountMask) >= _callsPerBucket)
            {
                // Full: the thread that notices moves the head on; one of them succeeds, all look again.
                Interlocked.CompareExchange(ref _head, head + 1, head);
                continue;
            }

            // Full fence: as in Record.
            if (Interlocked.CompareExchange(ref bucket, Count(seen, slot, bad), seen) == seen) return;
        }
    }

    /// <summary>Pure: the bucket with one more call, begun afresh if it held another slot.</summary>
    internal static long Count(long seen, uint slot, bool bad)
    {
        long calls = 0, bads = 0;
        if ((uint)(seen >>> StampShift) == slot)
        {
            calls = seen & CountMask;
            bads = (seen >> BadShift) & CountMask;
            if (calls == CountMask)
            {
                calls >>= 1;
                bads = (bads + 1) >> 1;
            }
        }

        Debug.Assert(bads <= calls && calls < CountMask, "No more are bad than there are, and one more fits.");
        return ((long)slot << StampShift) | ((bads + (bad ? 1 : 0)) << BadShift) | (calls + 1);
    }

    /// <summary>Sums up the window that ends with <paramref name="slot"/> (over calls: the epoch's slot base). A moment's view, exact
    /// when nothing is counted.</summary>
    internal (int Calls, int Bad) Sum(uint slot)
    {
        long[][] stripes = Volatile.Read(ref _stripes);
        int back = _buckets;
        if (_callsPerBucket > 0)
        {
            slot += (uint)Volatile.Read(ref _head);
            long current = Volatile.Read(ref stripes[0][slot & (uint)_mask]);
            bool full = (uint)(current >>> StampShift) == slot && (current & CountMask) >= _callsPerBucket;
            if (full) back--;
        }

        int calls = 0, bad = 0;
        foreach (long[] ring in stripes)
        {
            for (int i = 0; i <= back; i++)
            {
                uint wanted = slot - (uint)i;

                // Acquire: pairs with the compare-and-swap in Record.
                long bucket = Volatile.Read(ref ring[wanted & (uint)_mask]);
                if ((uint)(bucket >>> StampShift) != wanted) continue;
                calls += (int)(bucket & CountMask);
                bad += (int)((bucket >> BadShift) & CountMask);
            }
        }

        return (calls, bad);
    }

    /// <summary>Sums up the slots from the first to the last, as far as they are still there; over calls, too.</summary>
    internal (int Calls, int Bad) SumOf(uint first, uint last)
    {
        int calls = 0, bad = 0;
        foreach (long[] ring in Volatile.Read(ref _stripes))
        {
            for (int i = 0; i <= _mask; i++)
            {
                // Acquire: as in Sum.
                long bucket = Volatile.Read(ref ring[i]);
                if ((uint)(bucket >>> StampShift) - first > last - first) continue;
                calls += (int)(bucket & CountMask);
                bad += (int)((bucket >> BadShift) & CountMask);
            }
        }

        return (calls, bad);
    }

    /// <summary>The slot being filled, when slots are stretches of calls.</summary>
    internal int Head => Volatile.Read(ref _head);

    /// <summary>How many slots the ring has room for.</summary>
    internal int Ring => _mask + 1;

    /// <summary>When the window was made, on the breaker's clock: nothing in it is older.</summary>
    internal long MadeMs { get; }

    /// <summary>Counts calls of a former window in this one, which is not published yet: the bad ones evenly among them.</summary>
    internal void Fill(uint slotBase, int calls, int bad)
    {
        for (long i = 0; i < calls; i++) Record(slotBase, (i + 1) * bad / calls > i * bad / calls);
    }

    /// <summary>How many rings there are now.</summary>
    internal int Stripes => Volatile.Read(ref _stripes).Length;

    /// <summary>Doubles the stripes that the caller saw, unless another thread did so or there are enough.</summary>
    internal void Grow() => Grow(Volatile.Read(ref _stripes));

    private void Grow(long[][] seen)
    {
        if (seen.Length >= MaxStripes) return;
        long[][] grown = new long[seen.Length * 2][];
        for (int i = 0; i < grown.Length; i++) grown[i] = i < seen.Length ? seen[i] : new long[_mask + 1 + 16]; // 16 words keep neighbours off our cache lines

        // Release: publishes the new rings. If another thread grew first, its work stands.
        Interlocked.CompareExchange(ref _stripes, grown, seen);
    }
}
