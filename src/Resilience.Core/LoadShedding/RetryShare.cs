namespace Resilience;

/// <summary>Which share of the requests of the last ten seconds were repeated ones. Lock-free.</summary>
/// <remarks>
/// <code>
/// word of a second:  | second, 24 bits | all, 20 bits | repeated, 20 bits |     replaced as a whole when another second begins
/// </code>
/// A second counts up to a million requests, and no further.
/// </remarks>
internal sealed class RetryShare
{
    private const int Seconds = 10, Places = 16, Bits = 20; // places: a power of two, so that they follow each other also where the seconds begin anew
    private const long Mask = (1L << Bits) - 1, SecondMask = (1L << 24) - 1;

    /// <summary>A share of a few requests is chance.</summary>
    private const int Fewest = 20;

    private readonly long[] _words = new long[Places];

    internal RetryShare() => Array.Fill(_words, SecondMask << (2 * Bits)); // no second of the first half year

    internal void Count(long nowMs, bool isRepeated)
    {
        long second = SecondOf(nowMs);
        ref long word = ref _words[second % Places];
        long seen = Volatile.Read(ref word);
        while (true)
        {
            long all = seen & (Mask << Bits);
            long next = seen >>> (2 * Bits) != second ? (second << (2 * Bits)) | (1L << Bits) | (isRepeated ? 1L : 0)
                : all == Mask << Bits ? seen
                : seen + (1L << Bits) + (isRepeated ? 1L : 0);
            long found = Interlocked.CompareExchange(ref word, next, seen);
            if (found == seen) return;
            seen = found;
        }
    }

    /// <summary>From 0 to 1; 0 while there were too few.</summary>
    internal double Of(long nowMs)
    {
        long second = SecondOf(nowMs), all = 0, repeated = 0;
        foreach (ref long word in _words.AsSpan())
        {
            long seen = Volatile.Read(ref word), age = (second - (seen >>> (2 * Bits))) & SecondMask;
            if (age >= Seconds) continue;
            all += (seen >> Bits) & Mask;
            repeated += seen & Mask;
        }

        return all < Fewest ? 0 : (double)repeated / all;
    }

    private static long SecondOf(long nowMs) => (nowMs >> 10) & SecondMask; // of 1,024 ms
}
