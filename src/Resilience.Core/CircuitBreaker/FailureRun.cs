using System.Numerics;

namespace Resilience;

/// <summary>Failures in a row within one closed epoch, and when the last of them happened. A mutable struct: a field of
/// <see cref="CircuitEpoch"/>, do not mark it readonly.</summary>
/// <remarks>
/// <code>
///  63                              24 23             12 11              0
/// ┌──────────────────────────────────┬─────────────────┬─────────────────┐
/// │     time of the failure, ms      │ low bits of run │ low bits of its │   one entry of _times
/// │             40 bits              │     12 bits     │  number, 12 bits│
/// └──────────────────────────────────┴─────────────────┴─────────────────┘
///  63                              32 31    30                          0
/// ┌──────────────────────────────────┬──────┬────────────────────────────┐
/// │   run: + 1 with each success     │ full │   failures in this run     │   _word
/// └──────────────────────────────────┴──────┴────────────────────────────┘
/// </code>
/// <para>A success that finds no run changes nothing: on a healthy dependency this costs one read.</para>
/// <para>
/// A run that has reached its limit is final: neither a success nor a failure changes it any more. Reaching it <em>is</em> the
/// opening of the circuit, in one step; the swap of the epoch that follows can be done by the thread that completed the run or
/// by any other that comes across it. So a call that is admitted, or a success that is counted, is never seen after the failure that opened.
/// The limit is an option, and threads may know different ones while it changes: who opens the circuit by his limit marks the run
/// as full first, and then it is full by any limit; if a success by a higher limit was faster, there is no run to be marked.
/// </para>
/// <para>
/// The ring of times depends on no option: each failure stands in it under its own number, and says which it is. So the limit and
/// the span may change at any time, and a rule with a span knows the failures from before the span was set. The ring is as long
/// as the largest limit so far; a longer one takes its place when that grows.
/// </para>
/// </remarks>
internal struct FailureRun
{
    internal const int NumberBits = 12; // twice the largest limit and more: an entry of the turn before is not taken for one of this turn
    internal const int RunBits = 12;
    internal const int TimeBits = 40;
    private const uint NumberMask = (1u << NumberBits) - 1;
    private const uint RunMask = (1u << RunBits) - 1;

    private const long Full = 1L << 31;
    private const long LengthMask = Full - 1;

    private long _word;
    private long[]? _times;

    /// <summary>Failures in a row so far.</summary>
    internal int Length => (int)(Volatile.Read(ref _word) & LengthMask);

    /// <summary>True when the run has as many failures as the limit, or has opened the circuit by another limit.</summary>
    internal bool IsFull(int full) => (uint)Volatile.Read(ref _word) >= (uint)full;

    /// <summary>Marks the run as full, so that nothing changes it any more, and says how long it was. Zero when it is not full.</summary>
    internal int Seal(int full)
    {
        long seen = Volatile.Read(ref _word);
        while ((uint)seen >= (uint)full)
        {
            // Full fence: pairs with the compare-and-swaps in TryEnd and Extend, which know another limit perhaps. One of us is first.
            long found = Interlocked.CompareExchange(ref _word, seen | Full, seen);
            if (found == seen) return (int)(seen & LengthMask);
            seen = found;
        }

        return 0;
    }

    /// <summary>A success ends the run. False when the run is full: the circuit has opened, and the success came too late.</summary>
    internal bool TryEnd(int full)
    {
        long seen = Volatile.Read(ref _word);
        while ((uint)seen != 0)
        {
            if ((uint)seen >= (uint)full) return false;

            // Pairs with the compare-and-swap in Extend: a failure counts in the run before this success or in the one after it.
            long found = Interlocked.CompareExchange(ref _word, (long)((ulong)(seen + (1L << 32)) & 0xFFFFFFFF_00000000UL), seen);
            if (found == seen) return true;
            seen = found;
        }

        return true;
    }

    /// <summary>A failure makes the run longer. Answers its length; 0 when the last <paramref name="limit"/> failures are not
    /// within <paramref name="withinMs"/>; -1 when the run was full before.</summary>
    internal int Extend(int limit, int full, long withinMs, long nowMs)
    {
        long seen = Volatile.Read(ref _word);
        while (true)
        {
            if ((uint)seen >= (uint)full) return -1;
            long next = seen + 1; // no carry: the length was below full, and that is an int
            long found = Interlocked.CompareExchange(ref _word, next, seen);
            if (found == seen)
            {
                seen = next;
                break;
            }

            seen = found;
        }

        Note(limit, seen, nowMs); // without a span too: one may be set while the run lasts
        if (withinMs == Clock.Never) return (int)(seen & LengthMask);

        // A slower thread may have written its time only now, after faster ones had looked for it: so look at the latest
        // failure of the run, not only at ours.
        long latest = Volatile.Read(ref _word);
        return (latest >> 32) == (seen >> 32) && AreClose(limit, latest, withinMs) ? (int)(latest & LengthMask) : 0;
    }

    private void Note(int limit, long word, long nowMs)
    {
        long[] times = RingFor(limit);
        while (true)
        {
            // Full fence: our time is visible before we look at the others'. Two last failures at the same instant cannot both miss
            // the other's time: pairs with the reads in AreClose.
            Interlocked.Exchange(ref At(times, word), Entry(word, nowMs));

            // A longer ring has come between: it was published before it was filled from this one (RingFor), so either our time was
            // there to be copied, or we find the new ring here and write it ourselves.
            long[] present = Volatile.Read(ref _times)!;
            if (ReferenceEquals(present, times)) return;
            times = present;
        }
    }

    private long[] RingFor(int limit)
    {
        int needed = (int)BitOperations.RoundUpToPowerOf2((uint)limit);
        long[]? times = Volatile.Read(ref _times);
        while (times is null || times.Length < needed)
        {
            // The first thread makes the ring; an ordinary race for a reference, decided by the compare-and-swap.
            long[] made = new long[needed];
            long[]? found = Interlocked.CompareExchange(ref _times, made, times);
            if (ReferenceEquals(found, times))
            {
                foreach (long entry in times ?? [])
                {
                    if (entry != 0) Interlocked.CompareExchange(ref At(made, entry & NumberMask), entry, 0); // who wrote there since is later than this
                }

                return made;
            }

            times = found;
        }

        return times;
    }

    private readonly bool AreClose(int limit, long word, long withinMs)
    {
        long[]? times = Volatile.Read(in _times);
        if (times is null || (word & LengthMask) < limit || times.Length < limit) return false;
        long first = word - limit + 1; // the same run: the length is at least the limit
        long last = Volatile.Read(ref At(times, word)), earliest = Volatile.Read(ref At(times, first));
        if (!IsOf(last, word) || !IsOf(earliest, first)) return false;
        return Math.Abs((last >>> (RunBits + NumberBits)) - (earliest >>> (RunBits + NumberBits))) <= withinMs; // two threads read the clock, then counted
    }

    /// <summary>The place of the failure with this number.</summary>
    private static ref long At(long[] times, long number) => ref times[((uint)number - 1) & (uint)(times.Length - 1)];

    private static bool IsOf(long entry, long word) => (entry & ((1L << (RunBits + NumberBits)) - 1)) == Entry(word, 0);

    private static long Entry(long word, long nowMs) =>
        (nowMs << (RunBits + NumberBits)) | (((word >> 32) & RunMask) << NumberBits) | (word & NumberMask);
}
