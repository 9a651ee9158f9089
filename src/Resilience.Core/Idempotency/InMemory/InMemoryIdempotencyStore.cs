using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>Keeps records in the memory of this process: for one process, for tests, and as the reference for all other stores. What it
/// holds is gone with the process.</summary>
/// <remarks>
/// Thread-safe. Records are spread over parts with a lock each, so callers of different keys seldom meet. Expired records are invisible at
/// once and removed a few at a time by later claims; no timer runs.
/// </remarks>
public sealed class InMemoryIdempotencyStore : IResolvableIdempotencyStore
{
    /// <summary>What a record costs beside its payload: itself, its place in the index, and room between.</summary>
    internal const int RecordBytes = 192;

    private const int Shards = 32, MaxSweptByAClaim = 4, MaxSweptForRoom = 1024;

    private readonly InMemoryShard[] _shards = new InMemoryShard[Shards];
    private readonly InMemoryIdempotencyOptions _options;
    private readonly Clock _clock;
    private readonly long _startTimestamp;
    private readonly long _startMs;
    private readonly long _startMicroseconds;
    private readonly ulong _seed;
    private long _records;
    private long _payloadBytes;
    private long _completions; // counted only where they may be forgotten
    private long _evicted;

    /// <summary>Creates an empty store.</summary>
    /// <param name="options">Default: <see cref="InMemoryIdempotencyOptions"/> as they come. Read once, now.</param>
    /// <param name="timeProvider">The store's clock. Default: the system's, in steps of its coarse clock (some milliseconds).</param>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public InMemoryIdempotencyStore(InMemoryIdempotencyOptions? options = null, TimeProvider? timeProvider = null)
    {
        _options = (options ?? new()).Copy();
        _options.ThrowIfInvalid();
        _clock = Clock.For(timeProvider ?? TimeProvider.System);

        // The monotonic clock, begun at the wall clock's time: a wall clock that is set neither ends leases nor turns fences back, and
        // the fences of the next process are larger.
        _startTimestamp = _clock.Time.GetTimestamp();
        _startMs = _clock.NowMs;
        _startMicroseconds = (_clock.Time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        for (int i = 0; i < Shards; i++) _shards[i] = new();

        // An attacker who chooses keys does not know it, and cannot choose them for one place.
        _seed = BitConverter.ToUInt64(Guid.NewGuid().ToByteArray()) | 1;
        Traits = new() { Name = "memory", IsImmediate = true, MaxPayloadBytes = _options.MaxPayloadBytes, MaxRecords = _options.MaxRecords };
    }

    /// <inheritdoc/>
    public IdempotencyStoreTraits Traits { get; }

    /// <summary>How many records there are, expired ones that are not removed yet included.</summary>
    public long Count => Volatile.Read(ref _records);

    /// <summary>How many bytes they take, about.</summary>
    public long Bytes => (Count * RecordBytes) + Volatile.Read(ref _payloadBytes);

    /// <summary>How many completed records were forgotten before their time (<see cref="WhenStoreIsFull.EvictOldestCompleted"/>).</summary>
    public long Evicted => Volatile.Read(ref _evicted);

    /// <summary>The bytes of the arrays in which records and payloads lie, room that is not in use included.</summary>
    internal long Reserved => _shards.Sum(static shard =>
    {
        lock (shard.Gate) return shard.Reserved;
    });

    private long Now => _startMicroseconds + (_clock.IsSystem
        ? (_clock.NowMs - _startMs) * 1000
        : _clock.Time.GetElapsedTime(_startTimestamp).Ticks / TimeSpan.TicksPerMicrosecond);

    private bool IsFull => Count >= _options.MaxRecords || Bytes >= _options.MaxBytes;

    /// <inheritdoc/>
    public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<AcquireResult>(cancellationToken);
        try
        {
            return new(Acquire(request));
        }
        catch (IdempotencyStoreException full)
        {
            return ValueTask.FromException<AcquireResult>(full);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        InMemoryShard shard = ShardOf(id, out uint hash);
        lock (shard.Gate)
        {
            if (shard.Find(id, hash) is not (> 0 and int number)) return new(false);
            ref InMemorySlot slot = ref shard[number];
            long now = Now;
            if (!IdempotencyRules.Renew(slot.Record, fence, lease, now, out IdempotencyRecord next)) return new(false);
            slot.Record = next;
            shard.Moved(number, Span(next.ExpiresAt - now));
            return new(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> CompleteAsync(
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckCompletion(completion, payload, retention, _options.MaxPayloadBytes);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        ReadOnlySpan<byte> content = payload.Span; // here, for the memory may be code of the caller's
        return new(Complete(id, fence, completion, content, InMemoryPayloads.IsLarge(content.Length) ? content.ToArray() : null, retention));
    }

    /// <summary>Keeps how the operation ended; the arguments were checked.</summary>
    /// <param name="id">The id.</param>
    /// <param name="fence">The fence of the claim.</param>
    /// <param name="completion">How it ended.</param>
    /// <param name="content">The payload.</param>
    /// <param name="own">The same in an array of its own, if it is large.</param>
    /// <param name="retention">How long to keep it.</param>
    internal bool Complete(IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlySpan<byte> content, byte[]? own, TimeSpan retention)
    {
        InMemoryShard shard = ShardOf(id, out uint hash);
        lock (shard.Gate)
        {
            if (shard.Find(id, hash) is not (> 0 and int number)) return false;
            ref InMemorySlot slot = ref shard[number];
            bool isKept = IdempotencyRules.Complete(slot.Record, fence, completion, retention, Now, out IdempotencyRecord next, out bool changed);
            if (!changed) return isKept;
            int bytes = shard.KeepPayload(number, content, own); // may find no memory: nothing has changed until then
            slot.Record = next;
            if (_options.WhenFull == WhenStoreIsFull.EvictOldestCompleted) slot.Age = Interlocked.Increment(ref _completions);
            shard.Moved(number, retention);
            PayloadsGrew(bytes);
            return true;
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        InMemoryShard shard = ShardOf(id, out uint hash);
        lock (shard.Gate)
        {
            if (shard.Find(id, hash) is not (> 0 and int number)) return new(false);
            ref InMemorySlot slot = ref shard[number];
            bool isReleased = IdempotencyRules.Release(slot.Record, fence, Now, out IdempotencyRecord next, out bool changed);
            if (!changed) return new(isReleased);
            slot.Record = next;
            shard.Moved(number, Span(IdempotencyRules.Tombstone));
            return new(true);
        }
    }

    /// <inheritdoc/>
    public ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request, _options.MaxPayloadBytes);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<ResolveResult>(cancellationToken);
        ReadOnlySpan<byte> content = request.Payload.Span;
        byte[]? own = InMemoryPayloads.IsLarge(content.Length) ? content.ToArray() : null;
        InMemoryShard shard = ShardOf(request.Id, out uint hash);
        lock (shard.Gate)
        {
            if (shard.Find(request.Id, hash) is not (> 0 and int number)) return new(new ResolveResult(ResolveStatus.Absent, 0));
            ref InMemorySlot slot = ref shard[number];
            long now = Now;
            ResolveStatus status = IdempotencyRules.Resolve(slot.Record, request, now, out IdempotencyRecord next, out bool changed);
            if (changed)
            {
                PayloadsGrew(shard.KeepPayload(number, content, own));
                slot.Record = next;
                if (_options.WhenFull == WhenStoreIsFull.EvictOldestCompleted) slot.Age = Interlocked.Increment(ref _completions);
                shard.Moved(number, Span(next.ExpiresAt - now));
            }

            return new(IdempotencyRules.ResultOf(status, next));
        }
    }

    /// <inheritdoc/>
    public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<PeekResult>(cancellationToken);
        InMemoryShard shard = ShardOf(id, out uint hash);
        lock (shard.Gate) return shard.Find(id, hash) is > 0 and int number ? new(IdempotencyRules.Peek(shard[number].Record, Now)) : default;
    }

    /// <inheritdoc/>
    public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(max, 1);
        int removed = 0;
        foreach (InMemoryShard shard in _shards)
        {
            if (removed == max || cancellationToken.IsCancellationRequested) break;
            long bytes = 0;
            lock (shard.Gate) removed += Removed(shard.Purge(Now, max - removed, ref bytes), bytes);
        }

        return new(removed);
    }

    private AcquireResult Acquire(in AcquireRequest request)
    {
        InMemoryShard shard = ShardOf(request.Id, out uint hash);
        while (true)
        {
            lock (shard.Gate)
            {
                long now = Now;
                if (shard.Find(request.Id, hash) is > 0 and int number) return Decide(shard, number, request, now);
                if (shard.IsWorthSweeping(now))
                {
                    long bytes = 0;
                    Removed(shard.Sweep(now, MaxSweptByAClaim, ref bytes), bytes);
                }

                if (!IsFull) return Add(shard, request, hash, now);
            }

            MakeRoom(); // takes one lock after the other, never two
        }
    }

    private AcquireResult Decide(InMemoryShard shard, int number, in AcquireRequest request, long now)
    {
        ref InMemorySlot slot = ref shard[number];
        AcquireStatus status = IdempotencyRules.Acquire(slot.Record, request, now, out IdempotencyRecord next);
        if (status != AcquireStatus.Acquired)
        {
            ReadOnlyMemory<byte> payload = status == AcquireStatus.Completed ? shard.PayloadOf(number) : default;
            return IdempotencyRules.ResultOf(status, slot.Record, next, payload, now);
        }

        slot.Record = next;
        PayloadsGrew(-shard.DropPayload(number));
        shard.Moved(number, Span(next.ExpiresAt - now));
        return AcquireResult.Acquired(next.Fence, next.Attempt);
    }

    private AcquireResult Add(InMemoryShard shard, in AcquireRequest request, uint hash, long now)
    {
        IdempotencyRecord forgotten = new() { Fence = shard.RemovedFence };
        IdempotencyRules.Acquire(forgotten, request, now, out IdempotencyRecord first);
        shard.Add(request.Id, hash, first, Span(first.ExpiresAt - now));
        Interlocked.Increment(ref _records);
        return AcquireResult.Acquired(first.Fence, first.Attempt);
    }

    private void MakeRoom()
    {
        long expires = long.MaxValue;
        foreach (InMemoryShard shard in _shards)
        {
            long bytes = 0;
            lock (shard.Gate)
            {
                Removed(shard.Sweep(Now, MaxSweptForRoom, ref bytes), bytes);
                expires = Math.Min(expires, shard.SweepAt);
            }
        }

        while (IsFull)
        {
            if (_options.WhenFull == WhenStoreIsFull.Reject || !TryEvict())
            {
                throw new IdempotencyStoreException(
                    IdempotencyStoreFault.Full,
                    $"The in-memory store is full: {Count} records of at most {_options.MaxRecords}, {Bytes} bytes of at most {_options.MaxBytes}.")
                {
                    RetryAfter = expires == long.MaxValue ? null : Span(Math.Max(0, expires - Now)),
                };
            }
        }
    }

    /// <summary>Forgets the record that was completed first of all.</summary>
    private bool TryEvict()
    {
        InMemoryShard? place = null;
        long oldest = long.MaxValue;
        foreach (InMemoryShard shard in _shards)
        {
            lock (shard.Gate)
            {
                if (shard.OldestCompleted() is not (> 0 and int number) || shard[number].Age >= oldest) continue;
                oldest = shard[number].Age;
                place = shard;
            }
        }

        if (place is null) return false;
        lock (place.Gate)
        {
            // If another thread was faster, it is the next oldest there; if there is none any more, room was made.
            if (place.OldestCompleted() is not (> 0 and int number)) return true;
            Removed(1, -place.Remove(number));
            Interlocked.Increment(ref _evicted);
            return true;
        }
    }

    private int Removed(int records, long bytes)
    {
        if (records > 0) Interlocked.Add(ref _records, -records);
        PayloadsGrew(bytes);
        return records;
    }

    private void PayloadsGrew(long bytes)
    {
        if (bytes != 0) Interlocked.Add(ref _payloadBytes, bytes);
    }

    private InMemoryShard ShardOf(in IdempotencyId id, out uint hash)
    {
        ulong high = Math.BigMul(id.Fold(), _seed, out ulong low);
        hash = (uint)((high ^ low) >> 32);
        return _shards[hash >> 27]; // the upper five bits; the index of a shard goes by the lower ones
    }

    private static TimeSpan Span(long microseconds) => TimeSpan.FromTicks(microseconds * TimeSpan.TicksPerMicrosecond);
}
