namespace Resilience.Idempotency;

/// <summary>The protocol as pure functions over one record: the law that all stores follow, in their own languages. A store that can lock
/// a record reads it, asks here, and writes.</summary>
/// <remarks>
/// <para><c>now</c> is the store's clock in microseconds, read after the record was locked.</para>
/// <code>
///              acquire                    complete
///   [absent] ------------> in progress ---------------> completed ------ retention ------> [absent]
///      ^                    |   |   |  \
///      |  tombstone ends    |   |   |   `-------------> indeterminate -- retention ------> [absent]
///   released &lt;--- release --'   |   '-- renew: the lease is longer, the fence the same
///                               '------ the lease lapses: still in progress; who acquires now takes over with a new fence
///
///   lapsed or indeterminate --- resolve, with a new fence ---> released, completed or indeterminate
/// </code>
/// </remarks>
public static class IdempotencyRules
{
    /// <summary>How long a released record remembers its fence, in microseconds.</summary>
    public const long Tombstone = 60_000_000;

    /// <summary>Decides a claim; the request was checked before (<see cref="IdempotencyStoreArguments"/>). When the answer is <see
    /// cref="AcquireStatus.Acquired"/>, <paramref name="next"/> is the record to write.</summary>
    public static AcquireStatus Acquire(in IdempotencyRecord record, in AcquireRequest request, long now, out IdempotencyRecord next)
    {
        next = default;
        int attempt = 1;
        if (!record.IsAbsent(now))
        {
            if (record.Fingerprint != request.Fingerprint) return AcquireStatus.Mismatch;
            if (record.State is IdempotencyRecordState.Completed or IdempotencyRecordState.OutcomeUnknown) return AcquireStatus.Completed;
            if (record.Nonce == request.Nonce)
            {
                // The reply to this very claim was lost: the claim stands, and its lease begins anew.
                next = record with { LeaseUntil = Later(now, request.Lease), ExpiresAt = Later(now, Max(request.Retention, request.Lease)) };
                return AcquireStatus.Acquired;
            }

            if (record.LeaseUntil > now) return AcquireStatus.InFlight;
            if (record.Attempt >= request.MaxAttempts) return AcquireStatus.Abandoned;
            attempt = record.Attempt + 1;
        }

        next = new()
        {
            State = IdempotencyRecordState.InFlight,
            Fence = NextFence(record.Fence, now),
            Attempt = attempt,
            Nonce = request.Nonce,
            Fingerprint = request.Fingerprint,
            LeaseUntil = Later(now, request.Lease),
            ExpiresAt = Later(now, Max(request.Retention, request.Lease)),
        };
        return AcquireStatus.Acquired;
    }

    /// <summary>True when the claim stands, with the record to write.</summary>
    public static bool Renew(in IdempotencyRecord record, long fence, TimeSpan lease, long now, out IdempotencyRecord next)
    {
        long until = Later(now, lease);
        next = record with { LeaseUntil = until, ExpiresAt = Math.Max(record.ExpiresAt, until) };
        return IsHeld(record, fence);
    }

    /// <summary>True when the outcome is kept, now (<paramref name="changed"/>) or before.</summary>
    public static bool Complete(
        in IdempotencyRecord record, long fence, IdempotencyCompletion completion, TimeSpan retention, long now, out IdempotencyRecord next, out bool changed)
    {
        IdempotencyRecordState state = StateOf(completion);
        next = record with { State = state, LeaseUntil = 0, ExpiresAt = Later(now, retention) }; // the nonce stays: see CommitResolution
        changed = IsHeld(record, fence);
        return changed || (record.State == state && record.Fence == fence);
    }

    /// <summary>True when the record was given back, now (<paramref name="changed"/>) or before.</summary>
    public static bool Release(in IdempotencyRecord record, long fence, long now, out IdempotencyRecord next, out bool changed)
    {
        next = record with { State = IdempotencyRecordState.Released, Nonce = default, LeaseUntil = 0, ExpiresAt = now + Tombstone };
        changed = IsHeld(record, fence);
        return changed || (record.State == IdempotencyRecordState.Released && record.Fence == fence);
    }

    /// <summary>Decides what a decision about a record with an unknown outcome does. When it is <see cref="ResolveStatus.Resolved"/> and
    /// <paramref name="changed"/>, <paramref name="next"/> is the record to write, with the payload of the request.</summary>
    /// <remarks>The new fence is what shuts a late owner out. The nonce of the decision stays in the record, so that it is known when it comes again.</remarks>
    public static ResolveStatus Resolve(in IdempotencyRecord record, in ResolveRequest request, long now, out IdempotencyRecord next, out bool changed)
    {
        changed = false;
        next = record;
        IdempotencyRecordState state = request.Completion == IdempotencyCompletion.None ? IdempotencyRecordState.Released : StateOf(request.Completion);
        if (record.State == state && record.Nonce == request.Nonce && now < record.ExpiresAt) return ResolveStatus.Resolved;
        if (record.IsAbsent(now)) return ResolveStatus.Absent;
        if (record.State == IdempotencyRecordState.Completed) return ResolveStatus.Completed;
        if (record.State == IdempotencyRecordState.InFlight && record.LeaseUntil > now) return ResolveStatus.InFlight;
        if (request.Fence != 0 && request.Fence != record.Fence) return ResolveStatus.Changed;
        changed = true;
        next = record with
        {
            State = state,
            Fence = NextFence(record.Fence, now),
            Nonce = request.Nonce,
            LeaseUntil = 0,
            ExpiresAt = state == IdempotencyRecordState.Released ? now + Tombstone : Later(now, request.Retention),
        };
        return ResolveStatus.Resolved;
    }

    /// <summary>The answer to a decision.</summary>
    /// <param name="status">What <see cref="Resolve"/> said.</param>
    /// <param name="next">The record as it is now.</param>
    public static ResolveResult ResultOf(ResolveStatus status, in IdempotencyRecord next) =>
        new(status, status == ResolveStatus.Absent ? 0 : next.Fence);

    /// <summary>What a look shows.</summary>
    public static PeekResult Peek(in IdempotencyRecord record, long now)
    {
        if (record.IsAbsent(now)) return default;
        return record.State switch
        {
            IdempotencyRecordState.Completed => new(IdempotencyState.Completed, record.Fence, TimeSpan.Zero),
            IdempotencyRecordState.OutcomeUnknown => new(IdempotencyState.OutcomeUnknown, record.Fence, TimeSpan.Zero),
            _ when record.LeaseUntil > now => new(IdempotencyState.InFlight, record.Fence, Left(record.LeaseUntil, now)),
            _ => new(IdempotencyState.Lapsed, record.Fence, TimeSpan.Zero),
        };
    }

    /// <summary>The answer to a claim that was decided.</summary>
    /// <param name="status">What <see cref="Acquire"/> said.</param>
    /// <param name="record">The record as it was.</param>
    /// <param name="next">The record as it is now, if it was acquired.</param>
    /// <param name="payload">The payload of the record.</param>
    /// <param name="now">The time at which it was decided.</param>
    public static AcquireResult ResultOf(AcquireStatus status, in IdempotencyRecord record, in IdempotencyRecord next, ReadOnlyMemory<byte> payload,
        long now) =>
        status switch
        {
            AcquireStatus.Acquired => AcquireResult.Acquired(next.Fence, next.Attempt),
            AcquireStatus.InFlight => AcquireResult.InFlight(record.Fence, Left(record.LeaseUntil, now)),
            AcquireStatus.Completed => AcquireResult.Completed(
                record.State == IdempotencyRecordState.Completed ? IdempotencyCompletion.Completed : IdempotencyCompletion.OutcomeUnknown, payload,
                Left(record.ExpiresAt, now)),
            AcquireStatus.Mismatch => AcquireResult.Mismatch,
            _ => AcquireResult.Abandoned,
        };

    private static IdempotencyRecordState StateOf(IdempotencyCompletion completion) => completion switch
    {
        IdempotencyCompletion.Completed => IdempotencyRecordState.Completed,
        IdempotencyCompletion.OutcomeUnknown => IdempotencyRecordState.OutcomeUnknown,
        _ => throw new ArgumentOutOfRangeException(nameof(completion), completion, "An outcome is Completed or OutcomeUnknown."),
    };

    /// <summary>The time in microseconds, or one more than before: it rises for each id as long as its record is remembered, and also
    /// afterwards unless the clock steps back. Below 2^53 until the year 2255, so that every language can hold it.</summary>
    private static long NextFence(long former, long now) => Math.Max(former + 1, now);

    private static TimeSpan Left(long until, long now) => TimeSpan.FromTicks(Math.Max(0, until - now) * TimeSpan.TicksPerMicrosecond);

    /// <summary>An owner that is late but was not replaced still holds the record: the lease is not asked.</summary>
    private static bool IsHeld(in IdempotencyRecord record, long fence) => record.State == IdempotencyRecordState.InFlight && record.Fence == fence;

    private static long Later(long now, TimeSpan span) => now + (span.Ticks / TimeSpan.TicksPerMicrosecond);

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
