using System.Numerics;
using System.Runtime.CompilerServices;

namespace Resilience.Idempotency;

/// <summary>A part of the records of an in-memory store, with a lock of its own. Every method is called under <see cref="Gate"/>, and none
/// runs code of others. A record is known by its number, 0 is none.</summary>
/// <remarks>
/// <para>A record is in one list: by whether it is completed, and by the magnitude (power of two) of the time it is kept. What is written goes to
/// the end, so a list is in the order of expiry but for a factor of two: what has expired waits behind what was written before it for no
/// longer than it was kept itself.</para>
/// <para>Records and payloads lie in slabs. As objects each of them was moved twice by the collector before it came to rest, which cost
/// more than everything else (docs/decisions/0031).</para>
/// </remarks>
internal sealed class InMemoryShard
{
    /// <summary>So few that what has expired among them may stay until the room is needed.</summary>
    private const int Few = 16;

    private const int FirstEntries = 8, Magnitudes = 40, Completed = Magnitudes, SlabShift = 10;

    private readonly Slabs<InMemorySlot> _slots = new(SlabShift);
    private readonly InMemoryPayloads _payloads = new();
    private Entry[] _index = new Entry[FirstEntries]; // a table with open addresses, at most 5/8 of it in use
    private (int First, int Last)[]? _lists; // made with the first record
    private ulong _open, _completed; // which lists are not empty
    private int _count;
    private long _sweepAt = long.MaxValue; // nothing at the head of a list expires before

    internal readonly Lock Gate = new();

    /// <summary>The largest fence of all records that were removed: a record that comes back begins above it, whatever the clock says.</summary>
    internal long RemovedFence { get; private set; }

    /// <summary>The bytes of all arrays, room that is not in use included.</summary>
    internal long Reserved => ((long)_slots.Capacity * Unsafe.SizeOf<InMemorySlot>()) + ((long)_index.Length * Unsafe.SizeOf<Entry>()) + _payloads.Reserved;

    /// <summary>The record of this number; valid until the next <see cref="Add"/>.</summary>
    internal ref InMemorySlot this[int number] => ref _slots[number];

    internal int Find(in IdempotencyId id, uint hash)
    {
        int mask = _index.Length - 1;
        for (int at = (int)hash & mask; _index[at] is { Number: not 0 } entry; at = (at + 1) & mask)
        {
            if (entry.Hash == hash && _slots[entry.Number].Id == id) return entry.Number;
        }

        return 0;
    }

    internal void Add(in IdempotencyId id, uint hash, in IdempotencyRecord record, TimeSpan kept)
    {
        // What may find no memory comes first, so that it leaves nothing half done.
        if (8L * _count >= 5L * _index.Length) Grow();
        _lists ??= new (int, int)[2 * Magnitudes];
        int number = _slots.Take();
        _slots[number] = new() { Id = id, Hash = hash, Record = record };
        Enter(_index, new(hash, number));
        _count++;
        Append(number, kept);
    }

    /// <summary>After a change of its record: to the end of the list where it belongs now.</summary>
    internal void Moved(int number, TimeSpan kept)
    {
        Unlink(number);
        Append(number, kept);
    }

    /// <summary>Removes a record.</summary>
    /// <returns>The bytes that its payload took.</returns>
    internal int Remove(int number)
    {
        ref InMemorySlot slot = ref _slots[number];
        Strike(slot.Hash, number);
        _count--;
        Unlink(number);
        RemovedFence = Math.Max(RemovedFence, slot.Record.Fence);
        int bytes = DropPayload(number);
        _slots.Free(number);
        return bytes;
    }

    /// <summary>Keeps a payload in place of the one that was there.</summary>
    /// <param name="number">The record.</param>
    /// <param name="content">What to keep.</param>
    /// <param name="own">The same in an array of its own, where it is too large for cells (<see cref="InMemoryPayloads.IsLarge"/>).</param>
    /// <returns>How many bytes more are taken than before.</returns>
    internal int KeepPayload(int number, ReadOnlySpan<byte> content, byte[]? own)
    {
        ref InMemoryPayload payload = ref _slots[number].Payload;
        InMemoryPayload kept = _payloads.Keep(content, own), former = payload;
        payload = kept;
        _payloads.Free(former);
        return InMemoryPayloads.Size(kept) - InMemoryPayloads.Size(former);
    }

    /// <summary>Forgets the payload of a record.</summary>
    /// <returns>The bytes that it took.</returns>
    internal int DropPayload(int number)
    {
        ref InMemoryPayload payload = ref _slots[number].Payload;
        int bytes = InMemoryPayloads.Size(payload);
        _payloads.Free(payload);
        payload = default;
        return bytes;
    }

    /// <summary>The payload of a record, which stays as it is whatever becomes of the record.</summary>
    internal ReadOnlyMemory<byte> PayloadOf(int number) => _payloads.Read(_slots[number].Payload);

    /// <summary>Before this no sweep makes room; what has been swept is known.</summary>
    internal long SweepAt => _sweepAt;

    /// <summary>True when a new record should be paid for with expired ones.</summary>
    internal bool IsWorthSweeping(long now) => _count > Few && now >= _sweepAt;

    /// <summary>Removes what has expired at the heads of the lists, at most so many.</summary>
    /// <returns>How many were removed; the bytes of their payloads are taken from <paramref name="payloadBytes"/>.</returns>
    internal int Sweep(long now, int max, ref long payloadBytes)
    {
        if (now < _sweepAt) return 0;
        int removed = 0;
        long next = long.MaxValue;
        for (ulong lists = _open; lists != 0; lists &= lists - 1)
            removed += SweepList(BitOperations.TrailingZeroCount(lists), now, max - removed, ref payloadBytes, ref next);
        for (ulong lists = _completed; lists != 0; lists &= lists - 1)
            removed += SweepList(Completed + BitOperations.TrailingZeroCount(lists), now, max - removed, ref payloadBytes, ref next);
        _sweepAt = next;
        return removed;
    }

    /// <summary>Removes what has expired, wherever it is: looks at everything.</summary>
    internal int Purge(long now, int max, ref long payloadBytes)
    {
        int removed = 0;
        foreach ((int first, _) in _lists ?? [])
        {
            int later;
            for (int number = first; number != 0 && removed < max; number = later)
            {
                later = _slots[number].Later;
                if (now < _slots[number].Record.ExpiresAt) continue;
                payloadBytes -= Remove(number);
                removed++;
            }
        }

        return removed;
    }

    /// <summary>The completed record of the least age; 0 when there is none.</summary>
    internal int OldestCompleted()
    {
        int oldest = 0;
        for (ulong lists = _completed; lists != 0; lists &= lists - 1)
        {
            int head = _lists![Completed + BitOperations.TrailingZeroCount(lists)].First;
            if (oldest == 0 || _slots[head].Age < _slots[oldest].Age) oldest = head;
        }

        return oldest;
    }

    private int SweepList(int list, long now, int max, ref long payloadBytes, ref long next)
    {
        int removed = 0;
        while (_lists![list].First is > 0 and int head)
        {
            long expiresAt = _slots[head].Record.ExpiresAt;
            if (now < expiresAt || removed >= max)
            {
                next = Math.Min(next, expiresAt);
                break;
            }

            payloadBytes -= Remove(head);
            removed++;
        }

        return removed;
    }

    private void Append(int number, TimeSpan kept)
    {
        ref InMemorySlot slot = ref _slots[number];
        int magnitude = Math.Min(BitOperations.Log2((ulong)(kept.Ticks / TimeSpan.TicksPerMillisecond) | 1), Magnitudes - 1);
        bool isCompleted = slot.Record.State is IdempotencyRecordState.Completed or IdempotencyRecordState.OutcomeUnknown;
        slot.List = (byte)(isCompleted ? Completed + magnitude : magnitude);
        if (isCompleted) _completed |= 1UL << magnitude;
        else _open |= 1UL << magnitude;
        ref (int First, int Last) list = ref _lists![slot.List];
        slot.Earlier = list.Last;
        slot.Later = 0;
        if (list.Last != 0) _slots[list.Last].Later = number;
        else list.First = number;
        list.Last = number;
        _sweepAt = Math.Min(_sweepAt, slot.Record.ExpiresAt);
    }

    private void Unlink(int number)
    {
        ref InMemorySlot slot = ref _slots[number];
        ref (int First, int Last) list = ref _lists![slot.List];
        if (slot.Earlier != 0) _slots[slot.Earlier].Later = slot.Later;
        else list.First = slot.Later;
        if (slot.Later != 0) _slots[slot.Later].Earlier = slot.Earlier;
        else list.Last = slot.Earlier;
        if (list.First != 0) return;
        if (slot.List < Completed) _open &= ~(1UL << slot.List);
        else _completed &= ~(1UL << (slot.List - Completed));
    }

    private static void Enter(Entry[] index, Entry entry)
    {
        int mask = index.Length - 1, at = (int)entry.Hash & mask;
        while (index[at].Number != 0) at = (at + 1) & mask;
        index[at] = entry;
    }

    /// <summary>Takes an entry out of the index, and moves those behind it that would no longer be found.</summary>
    private void Strike(uint hash, int number)
    {
        int mask = _index.Length - 1, hole = (int)hash & mask;
        while (_index[hole].Number != number) hole = (hole + 1) & mask;
        for (int at = (hole + 1) & mask; _index[at] is { Number: not 0 } entry; at = (at + 1) & mask)
        {
            int fromHome = (at - (int)entry.Hash) & mask, fromHole = (at - hole) & mask;
            if (fromHome < fromHole) continue; // its search begins behind the hole
            _index[hole] = entry;
            hole = at;
        }

        _index[hole] = default;
    }

    private void Grow()
    {
        Entry[] larger = new Entry[2 * _index.Length];
        foreach (Entry entry in _index)
        {
            if (entry.Number != 0) Enter(larger, entry);
        }

        _index = larger;
    }

    /// <summary>Where to look for a record. With the hash beside the number a search seldom looks at the records of others, which lie far
    /// apart in memory.</summary>
    private readonly record struct Entry(uint Hash, int Number);
}
