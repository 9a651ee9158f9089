using System.Numerics;

namespace Resilience;

/// <summary>One record in memory: entry of a hash table and of a list by expiry in one object. Guarded by the lock of its shard.</summary>
internal sealed class InMemorySlot(IdempotencyId id, uint hash)
{
    internal readonly IdempotencyId Id = id;
    internal readonly uint Hash = hash;
    internal IdempotencyRecord Record;
    internal byte[]? Payload;

    /// <summary>In which list it is.</summary>
    internal byte List;

    /// <summary>Where completed records may be forgotten: the how-manieth completion it was.</summary>
    internal long Age;

    /// <summary>The next one in the same bucket.</summary>
    internal InMemorySlot? Next;

    /// <summary>Neighbours in the list.</summary>
    internal InMemorySlot? Earlier, Later;
}

/// <summary>A part of the records of an in-memory store, with a lock of its own. Every method is called under <see cref="Gate"/>.</summary>
/// <remarks>
/// A record is in one list: by whether it is completed, and by the magnitude (power of two) of the time it is kept. Whoever is written goes to
/// the end, so a list is in the order of expiry but for a factor of two: what has expired waits behind what was written before it for no
/// longer than it was kept itself.
/// </remarks>
internal sealed class InMemoryShard
{
    /// <summary>So few that what has expired among them may stay until somebody needs the room.</summary>
    private const int Few = 16;

    private const int FirstBuckets = 8, Magnitudes = 40, Completed = Magnitudes;

    private InMemorySlot?[] _buckets = new InMemorySlot?[FirstBuckets];
    private (InMemorySlot? First, InMemorySlot? Last)[]? _lists; // made with the first record
    private ulong _open, _completed; // which lists are not empty
    private int _count;
    private long _sweepAt = long.MaxValue; // nothing at the head of a list expires before

    internal readonly Lock Gate = new();

    /// <summary>The largest fence of all records that were removed: who comes back begins above it, whatever the clock says.</summary>
    internal long RemovedFence { get; private set; }

    internal InMemorySlot? Find(in IdempotencyId id, uint hash)
    {
        InMemorySlot? slot = _buckets[hash & (uint)(_buckets.Length - 1)];
        while (slot is not null && (slot.Hash != hash || slot.Id != id)) slot = slot.Next;
        return slot;
    }

    internal void Add(InMemorySlot slot, TimeSpan kept)
    {
        if (_count == _buckets.Length) Grow();
        ref InMemorySlot? bucket = ref _buckets[slot.Hash & (uint)(_buckets.Length - 1)];
        slot.Next = bucket;
        bucket = slot;
        _count++;
        Append(slot, kept);
    }

    /// <summary>After a change of its record: to the end of the list where it belongs now.</summary>
    internal void Moved(InMemorySlot slot, TimeSpan kept)
    {
        Unlink(slot);
        Append(slot, kept);
    }

    internal void Remove(InMemorySlot slot)
    {
        ref InMemorySlot? at = ref _buckets[slot.Hash & (uint)(_buckets.Length - 1)];
        while (at != slot) at = ref at!.Next;
        at = slot.Next;
        _count--;
        Unlink(slot);
        RemovedFence = Math.Max(RemovedFence, slot.Record.Fence);
    }

    /// <summary>True when a new record should be paid for with expired ones.</summary>
    internal bool IsWorthSweeping(long now) => _count > Few && now >= _sweepAt;

    /// <summary>Removes what has expired at the heads of the lists, at most so many.</summary>
    /// <returns>How many were removed; the bytes of their payloads are taken from <paramref name="payloadBytes"/>.</returns>
    internal int Sweep(long now, int most, ref long payloadBytes)
    {
        if (now < _sweepAt) return 0;
        int removed = 0;
        long next = long.MaxValue;
        for (ulong lists = _open; lists != 0; lists &= lists - 1)
            removed += SweepList(BitOperations.TrailingZeroCount(lists), now, most - removed, ref payloadBytes, ref next);
        for (ulong lists = _completed; lists != 0; lists &= lists - 1)
            removed += SweepList(Completed + BitOperations.TrailingZeroCount(lists), now, most - removed, ref payloadBytes, ref next);
        _sweepAt = next;
        return removed;
    }

    /// <summary>Removes what has expired, wherever it is: looks at everything.</summary>
    internal int Purge(long now, int most, ref long payloadBytes)
    {
        int removed = 0;
        foreach ((InMemorySlot? first, _) in _lists ?? [])
        {
            InMemorySlot? later;
            for (InMemorySlot? slot = first; slot is not null && removed < most; slot = later)
            {
                later = slot.Later;
                if (now < slot.Record.ExpiresAt) continue;
                payloadBytes -= slot.Payload?.Length ?? 0;
                Remove(slot);
                removed++;
            }
        }

        return removed;
    }

    /// <summary>The completed record of the least age; null when there is none.</summary>
    internal InMemorySlot? OldestCompleted()
    {
        InMemorySlot? oldest = null;
        for (ulong lists = _completed; lists != 0; lists &= lists - 1)
        {
            InMemorySlot head = _lists![Completed + BitOperations.TrailingZeroCount(lists)].First!;
            if (oldest is null || head.Age < oldest.Age) oldest = head;
        }

        return oldest;
    }

    private int SweepList(int list, long now, int most, ref long payloadBytes, ref long next)
    {
        int removed = 0;
        while (_lists![list].First is { } head)
        {
            if (now < head.Record.ExpiresAt || removed >= most)
            {
                next = Math.Min(next, head.Record.ExpiresAt);
                break;
            }

            payloadBytes -= head.Payload?.Length ?? 0;
            Remove(head);
            removed++;
        }

        return removed;
    }

    private void Append(InMemorySlot slot, TimeSpan kept)
    {
        int magnitude = Math.Min(BitOperations.Log2((ulong)(kept.Ticks / TimeSpan.TicksPerMillisecond) | 1), Magnitudes - 1);
        bool isCompleted = slot.Record.State is IdempotencyRecordState.Completed or IdempotencyRecordState.Indeterminate;
        slot.List = (byte)(isCompleted ? Completed + magnitude : magnitude);
        if (isCompleted) _completed |= 1UL << magnitude;
        else _open |= 1UL << magnitude;
        _lists ??= new (InMemorySlot?, InMemorySlot?)[2 * Magnitudes];
        ref (InMemorySlot? First, InMemorySlot? Last) list = ref _lists[slot.List];
        slot.Earlier = list.Last;
        if (list.Last is { } last) last.Later = slot;
        else list.First = slot;
        list.Last = slot;
        _sweepAt = Math.Min(_sweepAt, slot.Record.ExpiresAt);
    }

    private void Unlink(InMemorySlot slot)
    {
        ref (InMemorySlot? First, InMemorySlot? Last) list = ref _lists![slot.List];
        if (slot.Earlier is { } earlier) earlier.Later = slot.Later;
        else list.First = slot.Later;
        if (slot.Later is { } later) later.Earlier = slot.Earlier;
        else list.Last = slot.Earlier;
        (slot.Earlier, slot.Later) = (null, null);
        if (list.First is not null) return;
        if (slot.List < Completed) _open &= ~(1UL << slot.List);
        else _completed &= ~(1UL << (slot.List - Completed));
    }

    private void Grow()
    {
        InMemorySlot?[] larger = new InMemorySlot?[2 * _buckets.Length];
        foreach (InMemorySlot? first in _buckets)
        {
            InMemorySlot? next;
            for (InMemorySlot? slot = first; slot is not null; slot = next)
            {
                next = slot.Next;
                ref InMemorySlot? bucket = ref larger[slot.Hash & (uint)(larger.Length - 1)];
                slot.Next = bucket;
                bucket = slot;
            }
        }

        _buckets = larger;
    }
}
