using Resilience.Overload;

namespace Resilience;

/// <summary>The calls of the last while, by class: ten buckets, each with a word for each class.</summary>
/// <remarks>
/// <code>
/// word:  | ended (32 bits) | accepted (32 bits) |     one addition counts a call in both halves
/// </code>
/// A bucket is never emptied: a new one takes the place of that which left the window. A call that still counts in the old one is lost,
/// and it belongs to a time that is not looked at any more.
/// </remarks>
internal sealed class ThrottleWindow(long bucketMs)
{
    internal const int Buckets = 10;
    internal const int Classes = 4;

    private readonly Bucket?[] _buckets = new Bucket?[Buckets];

    /// <summary>The length of a bucket.</summary>
    internal long BucketMs => bucketMs;

    /// <summary>Counts a call that has ended.</summary>
    internal void Count(long nowMs, Criticality criticality, bool isAccepted) =>
        Interlocked.Add(ref Current(NumberOf(nowMs)).Words[(int)criticality], (1L << 32) | (isAccepted ? 1L : 0L));

    /// <summary>The calls of a class that are in the window now.</summary>
    internal (long Ended, long Accepted) Sum(long nowMs, Criticality criticality)
    {
        long newest = NumberOf(nowMs), ended = 0, accepted = 0;
        for (int i = 0; i < Buckets; i++)
        {
            // Acquire: pairs with the compare-and-swap that made the bucket visible.
            if (Volatile.Read(ref _buckets[i]) is not { } bucket || bucket.Number <= newest - Buckets || bucket.Number > newest) continue;
            long word = Volatile.Read(ref bucket.Words[(int)criticality]);
            ended += word >>> 32;
            accepted += word & uint.MaxValue;
        }

        return (ended, accepted);
    }

    /// <summary>The bucket of a moment, which may lie before the beginning of the clock's line.</summary>
    private long NumberOf(long nowMs) => nowMs >= 0 ? nowMs / bucketMs : ~(~nowMs / bucketMs);

    /// <summary>When the bucket of this moment ends.</summary>
    internal long EndOf(long nowMs) => (NumberOf(nowMs) + 1) * bucketMs;

    private Bucket Current(long number)
    {
        ref Bucket? place = ref _buckets[(int)(((number % Buckets) + Buckets) % Buckets)];
        while (true)
        {
            // Acquire: as above. A bucket that is newer than ours was made by a thread with a later reading: the call counts there.
            Bucket? seen = Volatile.Read(ref place);
            if (seen is not null && seen.Number >= number) return seen;
            Bucket made = new(number);
            if (Interlocked.CompareExchange(ref place, made, seen) == seen) return made;
        }
    }

    private sealed class Bucket(long number)
    {
        internal long Number => number;

        internal long[] Words { get; } = new long[Classes];
    }
}
