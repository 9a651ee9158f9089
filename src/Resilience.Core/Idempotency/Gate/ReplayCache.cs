using System.Collections.Concurrent;

namespace Resilience.Idempotency;

/// <summary>Completed records that this process has seen, for a short time: their duplicates need not ask the store. What is in doubt is never here.</summary>
/// <remarks>
/// <para>Thread-safe. It is bounded in entries and in bytes; the oldest go first. An entry is used for no longer than the options allow and than the
/// store said that the record is kept, measured from the moment before the store was asked.</para>
/// <para>What an entry may hide: that the record was erased or replaced by another hand, or that the store lost it. Not a decision: a result is never
/// decided away, and everything else is asked for.</para>
/// </remarks>
internal sealed class ReplayCache
{
    /// <summary>What an entry takes beside its payload, about.</summary>
    internal const int EntryBytes = 256;

    /// <summary>The system's coarse clock may be behind by so much (16 ms on Windows), and clocks differ in their rate.</summary>
    private const int MarginMs = 25;

    private const int LargestPart = 16;

    private readonly ConcurrentDictionary<IdempotencyId, Entry> _entries = new(new SeededIds());
    private readonly ConcurrentQueue<Entry> _inOrder = new();
    private readonly long _timeMs;
    private readonly int _maxEntries;
    private readonly long _maxBytes;
    private long _bytes;
    private long _forgotMs = long.MinValue; // when something was forgotten last
    private int _count; // in the queue, those that were replaced or forgotten included

    internal ReplayCache(IdempotencyOptions options)
    {
        _timeMs = (long)options.ReplayCacheTime.TotalMilliseconds;
        _maxEntries = options.ReplayCacheEntries;
        _maxBytes = options.ReplayCacheBytes;
    }

    /// <summary>How many keys can be answered, those whose time is over included.</summary>
    internal int Count => _entries.Count;

    /// <summary>About how many bytes they take.</summary>
    internal long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Finds the outcome of a key that was used for the same.</summary>
    internal bool TryFind(IdempotencyId id, in Fingerprint fingerprint, long nowMs, out IdempotencyResult outcome)
    {
        outcome = default;
        if (!_entries.TryGetValue(id, out Entry? found) || nowMs >= found.UntilMs || found.Fingerprint != fingerprint) return false;
        if (found.AskedMs <= Volatile.Read(ref _forgotMs)) return false;
        outcome = found.Outcome;
        return true;
    }

    /// <summary>Keeps what the store said.</summary>
    /// <param name="id">The record.</param>
    /// <param name="fingerprint">What was asked for; the store found it to be the same.</param>
    /// <param name="outcome">The outcome. Only results are kept.</param>
    /// <param name="askedMs">The time before the store was asked.</param>
    /// <param name="keptFor">How long the store keeps the record from then on.</param>
    internal void Keep(IdempotencyId id, in Fingerprint fingerprint, in IdempotencyResult outcome, long askedMs, TimeSpan keptFor)
    {
        if (outcome.Status != IdempotencyStatus.Replayed) return;
        long ms = Math.Min(_timeMs, (long)Math.Min(keptFor.TotalMilliseconds, IdempotencyOptions.MaxReplayCacheTime.TotalMilliseconds + MarginMs) - MarginMs);
        if (ms <= 0 || outcome.Content.Length > _maxBytes / LargestPart) return;
        Entry entry = new(id, fingerprint, outcome, askedMs, askedMs + ms);
        _entries[id] = entry;
        _inOrder.Enqueue(entry);
        Interlocked.Add(ref _bytes, entry.Bytes);
        Interlocked.Increment(ref _count);
        Sweep(askedMs);
    }

    /// <summary>Lets the store be asked again about a record, and about all others: what it said before now is used no more, also what is still on its way
    /// here.</summary>
    internal void Forget(IdempotencyId id, long nowMs)
    {
        Volatile.Write(ref _forgotMs, nowMs);
        _entries.TryRemove(id, out _); // the bytes of this one are gone at once; its place in the queue and all others go in their turn
    }

    /// <summary>Removes what is in excess, and what is over at the head of the queue.</summary>
    internal void Sweep(long nowMs)
    {
        while (_inOrder.TryPeek(out Entry? head) && (head.UntilMs <= nowMs || Volatile.Read(ref _count) > _maxEntries || Bytes > _maxBytes))
        {
            if (!_inOrder.TryDequeue(out Entry? oldest)) return;
            Interlocked.Decrement(ref _count);
            Interlocked.Add(ref _bytes, -oldest.Bytes);
            _entries.TryRemove(new KeyValuePair<IdempotencyId, Entry>(oldest.Id, oldest));
        }
    }

    private sealed class Entry(IdempotencyId id, Fingerprint fingerprint, IdempotencyResult outcome, long askedMs, long untilMs)
    {
        internal readonly IdempotencyId Id = id;
        internal readonly Fingerprint Fingerprint = fingerprint;
        internal readonly IdempotencyResult Outcome = outcome;
        internal readonly long AskedMs = askedMs;
        internal readonly long UntilMs = untilMs;

        internal long Bytes => EntryBytes + Outcome.Content.Length;
    }

    /// <summary>Who chooses keys does not know the seed, and cannot choose them for one bucket.</summary>
    private sealed class SeededIds : IEqualityComparer<IdempotencyId>
    {
        private readonly ulong _seed = BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()) | 1;

        public bool Equals(IdempotencyId x, IdempotencyId y) => x == y;

        public int GetHashCode(IdempotencyId id)
        {
            ulong high = Math.BigMul(id.Fold(), _seed, out ulong low);
            return (int)((high ^ low) >> 32);
        }
    }
}
