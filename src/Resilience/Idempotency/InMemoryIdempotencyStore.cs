using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>Keeps records in the memory of this process: for one process, for tests, and as the reference for all other stores. What it
/// holds is gone with the process.</summary>
/// <remarks>
/// Thread-safe. Each record is guarded by itself, so callers of different keys do not meet. Expired records are invisible at once and
/// removed a few at a time by later claims; no timer runs.
/// </remarks>
public sealed class InMemoryIdempotencyStore : IIdempotencyStore
{
    /// <summary>What a record costs beside its payload: measured at a million keys, rounded up.</summary>
    internal const int RecordBytes = 320;

    /// <summary>Every how many claims of new keys somebody sweeps. A power of two.</summary>
    private const int ClaimsPerSweep = 16;

    private readonly ConcurrentDictionary<IdempotencyId, Slot> _slots = new();
    private readonly ExpiryQueue _open = new(IdempotencyRecordState.InProgress);
    private readonly ExpiryQueue _completed = new(null);
    private readonly ExpiryQueue _released = new(null);
    private readonly InMemoryIdempotencyOptions _options;
    private readonly TimeProvider _time;
    private readonly long _startTimestamp;
    private readonly long _startMicroseconds;
    private int _claims;
    private long _records;
    private long _payloadBytes;
    private long _evicted;

    /// <summary>Creates an empty store.</summary>
    /// <param name="options">Default: <see cref="InMemoryIdempotencyOptions"/> as they come. Read once, now.</param>
    /// <param name="timeProvider">The store's clock. Default: the system's.</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public InMemoryIdempotencyStore(InMemoryIdempotencyOptions? options = null, TimeProvider? timeProvider = null)
    {
        _options = options ?? new();
        _options.ThrowIfInvalid();
        _time = timeProvider ?? TimeProvider.System;

        // The monotonic clock, begun at the wall clock's time: a wall clock that is set neither ends leases nor turns fences back, and
        // the fences of the next process are larger.
        _startTimestamp = _time.GetTimestamp();
        _startMicroseconds = (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        Traits = new() { Name = "memory", IsImmediate = true, MaxPayloadBytes = _options.MaxPayloadBytes };
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <summary>How many records there are, expired ones that nobody has removed yet included.</summary>
    public long Count => Volatile.Read(ref _records);

    /// <summary>How many bytes they take, about.</summary>
    public long Bytes => (Count * RecordBytes) + Volatile.Read(ref _payloadBytes);

    /// <summary>How many completed records were forgotten before their time (<see cref="WhenStoreIsFull.EvictOldestCompleted"/>).</summary>
    public long Evicted => Volatile.Read(ref _evicted);

    private long Now => _startMicroseconds + (_time.GetElapsedTime(_startTimestamp).Ticks / TimeSpan.TicksPerMicrosecond);

    /// <inheritdoc/>
    public ValueTask<AcquireAnswer> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<AcquireAnswer>(cancellationToken);
        try
        {
            return new(Acquire(request));
        }
        catch (IdempotencyStoreException full)
        {
            return ValueTask.FromException<AcquireAnswer>(full);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        if (!_slots.TryGetValue(id, out Slot? slot)) return new(false);
        lock (slot)
        {
            if (slot.IsDead || !IdempotencyRules.Renew(slot.Record, fence, lease, Now, out IdempotencyRecord next)) return new(false);
            slot.Record = next;
            return new(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyEnding ending,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckEnding(ending, payload, retention, _options.MaxPayloadBytes);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        if (!_slots.TryGetValue(id, out Slot? slot)) return new(false);
        byte[] copy = payload.ToArray();
        lock (slot)
        {
            if (slot.IsDead) return new(false);
            bool isKept = IdempotencyRules.Complete(slot.Record, fence, ending, retention, Now, out IdempotencyRecord next, out bool changed);
            if (!changed) return new(isKept);
            slot.Record = next;
            slot.Payload = copy;
        }

        Interlocked.Add(ref _payloadBytes, copy.Length);
        _completed.Add(slot, fence);
        return new(true);
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        if (!_slots.TryGetValue(id, out Slot? slot)) return new(false);
        lock (slot)
        {
            if (slot.IsDead) return new(false);
            bool isReleased = IdempotencyRules.Release(slot.Record, fence, Now, out IdempotencyRecord next, out bool changed);
            if (!changed) return new(isReleased);
            slot.Record = next;
        }

        _released.Add(slot, fence);
        return new(true);
    }

    /// <inheritdoc/>
    public ValueTask<PeekAnswer> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<PeekAnswer>(cancellationToken);
        if (!_slots.TryGetValue(id, out Slot? slot)) return default;
        lock (slot) return slot.IsDead ? default : new(IdempotencyRules.Peek(slot.Record, Now));
    }

    /// <inheritdoc/>
    public ValueTask<int> PurgeAsync(int most, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        int removed = 0;
        foreach (KeyValuePair<IdempotencyId, Slot> pair in _slots)
        {
            if (removed == most || cancellationToken.IsCancellationRequested) break;
            if (TryBury(pair.Value, mustBeExpired: true)) removed++;
        }

        return new(removed);
    }

    private AcquireAnswer Acquire(in AcquireRequest request)
    {
        while (true)
        {
            if (!_slots.TryGetValue(request.Id, out Slot? slot))
            {
                if (TryAdd(request, out AcquireAnswer added)) return added;
                continue;
            }

            lock (slot)
            {
                if (!slot.IsDead) return Decide(slot, request);
            }

            // Buried between our look and our lock: help to take it away, and look again.
            _slots.TryRemove(new KeyValuePair<IdempotencyId, Slot>(slot.Id, slot));
        }
    }

    private AcquireAnswer Decide(Slot slot, in AcquireRequest request)
    {
        long now = Now;
        AcquireStatus status = IdempotencyRules.Acquire(slot.Record, request, now, out IdempotencyRecord next);
        if (status != AcquireStatus.Acquired) return IdempotencyRules.AnswerOf(status, slot.Record, next, slot.Payload, now);
        bool isNew = next.Fence != slot.Record.Fence;
        slot.Record = next;
        if (slot.Payload is { } former)
        {
            Interlocked.Add(ref _payloadBytes, -former.Length);
            slot.Payload = null;
        }

        if (isNew) _open.Add(slot, next.Fence);
        return AcquireAnswer.Acquired(next.Fence, next.Attempt);
    }

    private bool TryAdd(in AcquireRequest request, out AcquireAnswer answer)
    {
        SweepSometimes();
        if (IsFull) MakeRoom();
        IdempotencyRules.Acquire(default, request, Now, out IdempotencyRecord record);
        Slot slot = new(request.Id) { Record = record };
        answer = AcquireAnswer.Acquired(record.Fence, record.Attempt);
        if (!_slots.TryAdd(request.Id, slot)) return false;
        Interlocked.Increment(ref _records);
        _open.Add(slot, record.Fence);
        return true;
    }

    private bool IsFull => Count >= _options.MaxRecords || Bytes >= _options.MaxBytes;

    private void MakeRoom()
    {
        Sweep(64 * ClaimsPerSweep);
        while (IsFull)
        {
            if (_options.WhenFull == WhenStoreIsFull.Refuse || !_completed.TryTake(out Slot? oldest))
            {
                throw new IdempotencyStoreException(
                    IdempotencyStoreFault.Full,
                    $"The in-memory store is full: {Count} records of at most {_options.MaxRecords}, {Bytes} bytes of at most {_options.MaxBytes}.");
            }

            if (TryBury(oldest, mustBeExpired: false)) Interlocked.Increment(ref _evicted);
        }
    }

    /// <summary>Now and then, so that a claim does not pay for it: removes more than was added since the last time.</summary>
    private void SweepSometimes()
    {
        if ((Interlocked.Increment(ref _claims) & (ClaimsPerSweep - 1)) == 0) Sweep(4 * ClaimsPerSweep);
    }

    private void Sweep(int mostOfEach)
    {
        long now = Now;
        Sweep(_open, mostOfEach, now);
        Sweep(_completed, mostOfEach, now);
        Sweep(_released, mostOfEach, now);
    }

    private void Sweep(ExpiryQueue queue, int most, long now)
    {
        for (int i = 0; i < most && queue.TryTakeExpired(now, out Slot? expired); i++)
        {
            if (expired is not null) TryBury(expired, mustBeExpired: true);
        }
    }

    /// <summary>Takes a record out: marks it first, so that nobody who holds it changes it any more.</summary>
    private bool TryBury(Slot slot, bool mustBeExpired)
    {
        lock (slot)
        {
            if (slot.IsDead || (mustBeExpired ? Now < slot.Record.ExpiresAt : slot.Record.State is IdempotencyRecordState.InProgress)) return false;
            slot.IsDead = true;
        }

        _slots.TryRemove(new KeyValuePair<IdempotencyId, Slot>(slot.Id, slot));
        Interlocked.Decrement(ref _records);
        if (slot.Payload is { } payload) Interlocked.Add(ref _payloadBytes, -payload.Length);
        return true;
    }

    /// <summary>One record; it is its own lock.</summary>
    private sealed class Slot(IdempotencyId id)
    {
        internal readonly IdempotencyId Id = id;
        internal IdempotencyRecord Record;
        internal byte[]? Payload;
        internal bool IsDead;

        internal IdempotencyRecord Read(out bool isDead)
        {
            lock (this)
            {
                isDead = IsDead;
                return Record;
            }
        }
    }

    /// <summary>Records in the order in which they came into one state, which is, with one retention for all, the order in which they expire.</summary>
    /// <remarks>An entry is stale when its record has gone on; it is dropped when it comes to the head. Anybody adds at any time, also while
    /// he holds the lock of a record; one at a time takes, and holds no lock of a record while he waits for his turn.</remarks>
    /// <param name="state">The only state in which an entry of this queue is not stale; null where the fence says it all.</param>
    private sealed class ExpiryQueue(IdempotencyRecordState? state)
    {
        private readonly ConcurrentQueue<(Slot Slot, long Fence)> _entries = new();
        private readonly Lock _taking = new();

        internal void Add(Slot slot, long fence) => _entries.Enqueue((slot, fence));

        /// <summary>Takes the head if it has expired. Null when it was stale (dropped) or is an open claim that has not expired (moved to
        /// the end: a crashed claim must not keep what is behind it); false when there is nothing to do now.</summary>
        internal bool TryTakeExpired(long now, out Slot? expired)
        {
            expired = null;
            if (!_taking.TryEnter()) return false;
            try
            {
                if (!_entries.TryPeek(out (Slot Slot, long Fence) head)) return false;
                IdempotencyRecord record = head.Slot.Read(out bool isDead);
                bool isStale = isDead || record.Fence != head.Fence || (state is { } only && record.State != only);
                if (!isStale && now < record.ExpiresAt && record.State != IdempotencyRecordState.InProgress) return false;
                _entries.TryDequeue(out _);
                if (isStale) return true;
                if (now < record.ExpiresAt) _entries.Enqueue(head);
                else expired = head.Slot;
                return true;
            }
            finally
            {
                _taking.Exit();
            }
        }

        /// <summary>Takes the first that is not stale.</summary>
        internal bool TryTake([NotNullWhen(true)] out Slot? oldest)
        {
            lock (_taking)
            {
                while (_entries.TryDequeue(out (Slot Slot, long Fence) head))
                {
                    oldest = head.Slot;
                    if (oldest.Read(out bool isDead).Fence == head.Fence && !isDead) return true;
                }
            }

            oldest = null;
            return false;
        }
    }
}
