namespace Resilience;

/// <summary>A record as a value: what a store keeps for one id.</summary>
/// <remarks>Times are microseconds on the store's clock.</remarks>
internal readonly record struct IdempotencyRecord
{
    internal RecordState State { get; init; }

    internal long Fence { get; init; }

    internal int Attempt { get; init; }

    internal Guid Nonce { get; init; }

    internal Fingerprint Fingerprint { get; init; }

    internal long LeaseUntil { get; init; }

    internal long ExpiresAt { get; init; }

    /// <summary>Expired, released, or never there. A claim whose lease runs has not expired, however short its retention was.</summary>
    internal bool IsAbsent(long now) => State is RecordState.Absent or RecordState.Released || now >= ExpiresAt;
}

/// <summary>What is written in a record. Whether its lease has lapsed or it has expired is computed, not written.</summary>
/// <remarks>The numbers are the same in all stores and must not change.</remarks>
internal enum RecordState : byte
{
    Absent = 0,
    InProgress = 1,
    Completed = 2,
    Released = 3,
    Indeterminate = 4,
}

/// <summary>The protocol as pure functions over one record: the law that all stores follow, in their own languages.</summary>
/// <remarks>
/// <code>
///              acquire                    complete
///   [absent] ------------> in progress ---------------> completed ------ retention ------> [absent]
///      ^                    |   |   |  \
///      |  tombstone ends    |   |   |   `-------------> indeterminate -- retention ------> [absent]
///   released &lt;--- release --'   |   '-- renew: the lease is longer, the fence the same
///                               '------ the lease lapses: still in progress; who acquires now takes over with a new fence
/// </code>
/// </remarks>
internal static class IdempotencyRules
{
    /// <summary>How long a released record remembers its fence, in microseconds.</summary>
    internal const long Tombstone = 60_000_000;

    /// <summary>Decides a claim. When the answer is <see cref="AcquireStatus.Acquired"/>, <paramref name="next"/> is the record to write.</summary>
    internal static AcquireStatus Acquire(in IdempotencyRecord record, in AcquireRequest request, long now, out IdempotencyRecord next)
    {
        next = default;
        int attempt = 1;
        if (!record.IsAbsent(now))
        {
            if (record.Fingerprint != request.Fingerprint) return AcquireStatus.Mismatch;
            if (record.State is RecordState.Completed or RecordState.Indeterminate) return AcquireStatus.Completed;
            if (record.Nonce == request.Nonce)
            {
                // The reply to this very claim was lost: the claim stands, and its lease begins anew.
                next = record with { LeaseUntil = Later(now, request.Lease), ExpiresAt = Later(now, Longest(request.Retention, request.Lease)) };
                return AcquireStatus.Acquired;
            }

            if (record.LeaseUntil > now) return AcquireStatus.InFlight;
            if (record.Attempt >= request.MaxAttempts) return AcquireStatus.Abandoned;
            attempt = record.Attempt + 1;
        }

        next = new()
        {
            State = RecordState.InProgress,
            Fence = NextFence(record.Fence, now),
            Attempt = attempt,
            Nonce = request.Nonce,
            Fingerprint = request.Fingerprint,
            LeaseUntil = Later(now, request.Lease),
            ExpiresAt = Later(now, Longest(request.Retention, request.Lease)),
        };
        return AcquireStatus.Acquired;
    }

    /// <summary>True when the claim stands, with the record to write.</summary>
    internal static bool Renew(in IdempotencyRecord record, long fence, TimeSpan lease, long now, out IdempotencyRecord next)
    {
        long until = Later(now, lease);
        next = record with { LeaseUntil = until, ExpiresAt = Math.Max(record.ExpiresAt, until) };
        return IsHeld(record, fence);
    }

    /// <summary>True when the ending is kept, now (<paramref name="changed"/>) or before.</summary>
    internal static bool Complete(
        in IdempotencyRecord record, long fence, IdempotencyEnding ending, TimeSpan retention, long now, out IdempotencyRecord next, out bool changed)
    {
        RecordState state = StateOf(ending);
        next = record with { State = state, Nonce = default, LeaseUntil = 0, ExpiresAt = Later(now, retention) };
        changed = IsHeld(record, fence);
        return changed || (record.State == state && record.Fence == fence);
    }

    /// <summary>True when the record was given back, now (<paramref name="changed"/>) or before.</summary>
    internal static bool Release(in IdempotencyRecord record, long fence, long now, out IdempotencyRecord next, out bool changed)
    {
        next = record with { State = RecordState.Released, Nonce = default, LeaseUntil = 0, ExpiresAt = now + Tombstone };
        changed = IsHeld(record, fence);
        return changed || (record.State == RecordState.Released && record.Fence == fence);
    }

    internal static PeekAnswer Peek(in IdempotencyRecord record, long now)
    {
        if (record.IsAbsent(now)) return default;
        return record.State switch
        {
            RecordState.Completed => new(IdempotencyState.Completed, record.Fence, TimeSpan.Zero),
            RecordState.Indeterminate => new(IdempotencyState.Indeterminate, record.Fence, TimeSpan.Zero),
            _ when record.LeaseUntil > now => new(IdempotencyState.InProgress, record.Fence, Left(record.LeaseUntil, now)),
            _ => new(IdempotencyState.Lapsed, record.Fence, TimeSpan.Zero),
        };
    }

    internal static RecordState StateOf(IdempotencyEnding ending) => ending switch
    {
        IdempotencyEnding.Completed => RecordState.Completed,
        IdempotencyEnding.Indeterminate => RecordState.Indeterminate,
        _ => throw new ArgumentOutOfRangeException(nameof(ending), ending, "An ending is Completed or Indeterminate."),
    };

    /// <summary>The time in microseconds, or one more than before: it rises for each id as long as its record is remembered, and also
    /// afterwards unless the clock steps back. Below 2^53 until the year 2255, so that every language can hold it.</summary>
    internal static long NextFence(long former, long now) => Math.Max(former + 1, now);

    internal static TimeSpan Left(long until, long now) => TimeSpan.FromTicks(Math.Max(0, until - now) * TimeSpan.TicksPerMicrosecond);

    /// <summary>Whoever is late but was not replaced still holds the record: the lease is not asked.</summary>
    private static bool IsHeld(in IdempotencyRecord record, long fence) => record.State == RecordState.InProgress && record.Fence == fence;

    private static long Later(long now, TimeSpan span) => now + (span.Ticks / TimeSpan.TicksPerMicrosecond);

    private static TimeSpan Longest(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
