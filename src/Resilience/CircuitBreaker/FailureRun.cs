namespace Resilience;

/// <summary>Failures in a row within one closed era, and when the last n of them happened. A mutable struct: a field of
/// <see cref="Era"/>, do not mark it readonly.</summary>
/// <remarks>
/// <code>
///  63                                       20 19                       0
/// ┌───────────────────────────────────────────┬──────────────────────────┐
/// │       time of the failure, ms (44)        │ low bits of its run (20) │   one entry of _times
/// └───────────────────────────────────────────┴──────────────────────────┘
///  63                              32 31                                0
/// ┌──────────────────────────────────┬───────────────────────────────────┐
/// │   run: + 1 with each success     │       failures in this run        │   _word
/// └──────────────────────────────────┴───────────────────────────────────┘
/// </code>
/// <para>A success that finds no run changes nothing: on a healthy dependency this costs one read.</para>
/// <para>
/// A run that has reached its limit is final: neither a success nor a failure changes it any more. Reaching it <em>is</em> the
/// opening of the circuit, in one step; the swap of the era that follows can be done by the thread that completed the run or
/// by any other that comes across it. So a call that is admitted, or a success that is counted, is never seen after the failure that opened.
/// </para>
/// </remarks>
internal struct FailureRun
{
    private const int RunBits = 20;
    private const uint RunMask = (1u << RunBits) - 1;

    private long _word;
    private long[]? _times;

    /// <summary>Failures in a row so far.</summary>
    internal int Length => (int)Volatile.Read(ref _word);

    /// <summary>A success ends the run. False when the run is full: the circuit has opened, and the success came too late.</summary>
    internal bool TryEnd(int full)
    {
        long seen = Volatile.Read(ref _word);
        while ((uint)seen != 0)
        {
            if ((int)seen >= full) return false;

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
            if ((int)seen >= full) return -1;
            long next = seen + 1; // no carry into the run: the length was below full, and that is an int
            long found = Interlocked.CompareExchange(ref _word, next, seen);
            if (found == seen)
            {
                seen = next;
                break;
            }

            seen = found;
        }

        if (withinMs == Clock.Never) return (int)seen;
        Write(limit, seen, nowMs);

        // A slower thread may have written its time only now, after faster ones had looked for it: so look at the latest
        // failure of the run, not only at ours.
        long latest = Volatile.Read(ref _word);
        return (latest >> 32) == (seen >> 32) && AreClose(limit, latest, withinMs) ? (int)latest : 0;
    }

    private void Write(int limit, long word, long nowMs)
    {
        // Whoever is first makes the ring; an ordinary race for a reference, decided by the compare-and-swap.
        long[] times = Volatile.Read(ref _times) ?? Interlocked.CompareExchange(ref _times, new long[limit], null) ?? _times!;

        // Full fence: our time is visible before we look at the others'. Two last failures at the same instant cannot both miss
        // the other's time: pairs with the reads in AreClose.
        Interlocked.Exchange(ref times[((uint)word - 1) % (uint)times.Length], Entry(word, nowMs));
    }

    private bool AreClose(int limit, long word, long withinMs)
    {
        long[]? times = Volatile.Read(ref _times);
        int length = (int)word;
        if (times is null || length < limit || times.Length != limit) return false;
        long last = Volatile.Read(ref times[((uint)word - 1) % (uint)limit]);
        long first = Volatile.Read(ref times[(uint)word % (uint)limit]);
        uint run = (uint)(word >> 32) & RunMask;
        if (((uint)last & RunMask) != run || ((uint)first & RunMask) != run) return false;
        return (last >>> RunBits) - (first >>> RunBits) <= withinMs;
    }

    private static long Entry(long word, long nowMs) => (nowMs << RunBits) | ((word >> 32) & RunMask);
}
