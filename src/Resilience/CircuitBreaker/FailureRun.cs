namespace Resilience;

/// <summary>Failures in a row within one closed era, and when the last n of them happened. A mutable struct: a field of <see cref="Era"/>, do not mark it readonly.</summary>
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
/// A success that finds no run changes nothing: on a healthy dependency this costs one read.
/// </remarks>
internal struct FailureRun
{
    private const int RunBits = 20;
    private const uint RunMask = (1u << RunBits) - 1;

    private long _word;
    private long[]? _times;

    /// <summary>Failures in a row so far.</summary>
    internal int Length => (int)Volatile.Read(ref _word);

    /// <summary>A success ends the run.</summary>
    internal void End()
    {
        long seen = Volatile.Read(ref _word);
        while ((uint)seen != 0)
        {
            // Pairs with the compare-and-swap in Extend: a failure counts in the run before this success or in the one after it.
            long found = Interlocked.CompareExchange(ref _word, (long)((ulong)(seen + (1L << 32)) & 0xFFFFFFFF_00000000UL), seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>A failure makes the run longer. Answers its length; 0 when the last <paramref name="limit"/> failures are not within <paramref name="withinMs"/>.</summary>
    internal int Extend(int limit, long withinMs, long nowMs)
    {
        long seen = Volatile.Read(ref _word);
        while (true)
        {
            long next = (uint)seen == int.MaxValue ? seen : seen + 1;
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
        Volatile.Write(ref times[((uint)word - 1) % (uint)times.Length], Entry(word, nowMs));
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
