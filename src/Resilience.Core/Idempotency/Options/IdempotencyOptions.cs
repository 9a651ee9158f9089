using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>How an <see cref="IdempotencyGate"/> holds, renews and keeps keys.</summary>
public sealed class IdempotencyOptions : PolicyOptions
{
    /// <summary>The longest time for which a process answers by itself.</summary>
    internal static readonly TimeSpan MaxReplayCacheTime = TimeSpan.FromSeconds(60);

    /// <summary>How long a claim lasts without a sign of life: after a crash the key is free again when it has passed. Default 30 s, from
    /// 50 ms to an hour. It is renewed at a third of its length as long as the call runs.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long an outcome is kept: a duplicate that comes later is executed again. Default 24 h, from the <see cref="Lease"/> to
    /// ten years. Publish it to your callers.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromHours(24);

    /// <summary>How long a call may run with its claim renewed: afterwards it loses the claim, so that one that hangs does not hold a key
    /// for ever. Default 10 min, up to a day, not shorter than the <see cref="Lease"/>.</summary>
    public TimeSpan MaxExecution { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How often one operation may be begun when earlier ones crashed, so that a call that kills its process does not do so for ever.
    /// Default 5, from 1. 1: never taken over, a crash leaves the outcome unknown until the retention has passed; for operations
    /// that must not happen twice and know neither fence nor derived key.</summary>
    public int MaxAttempts { get; set; } = 5;

    /// <summary>What a duplicate does while the first is under way. Default <see cref="WhenInFlight.Wait"/>: who lost the connection and repeats
    /// wants the outcome, not a conflict.</summary>
    public WhenInFlight WhenInFlight { get; set; } = WhenInFlight.Wait;

    /// <summary>How long a duplicate waits at the most. Default 5 s, which is less than the time that our clients give to an attempt; from 1 ms
    /// to an hour.</summary>
    public TimeSpan MaxWait { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How many duplicates of one key wait in this process; more are rejected at once. Default 64, from 1 to 1,000,000.</summary>
    public int MaxWaitersPerKey { get; set; } = 64;

    /// <summary>How many duplicates wait in this process in all. Default 10,000, from 1 to 1,000,000.</summary>
    public int MaxWaiters { get; set; } = 10_000;

    /// <summary>What happens when the store cannot be asked. Default <see cref="WhenStoreFails.Reject"/>.</summary>
    public WhenStoreFails WhenStoreFails { get; set; }

    /// <summary>How long the store may take to answer a claim, tries together. Default 1 s, from 1 ms to a minute. Not used for stores that
    /// answer at once.</summary>
    public TimeSpan AcquireTimeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long it is tried to record an outcome. Default 5 s, from 1 ms to a minute. A record that cannot be written keeps its claim
    /// until the lease lapses; it is never given back.</summary>
    public TimeSpan FinishTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often expired records are removed from the store, in the background of a call, a thousand at a time. Default 1 min, from
    /// 1 s to a day; zero: never, another process does it (<see cref="IIdempotencyStore.PurgeAsync"/>). Nothing but space depends on it.</summary>
    public TimeSpan PurgeInterval { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long this process may answer duplicates of a completed key by itself after it has seen the record, and never beyond the time that the
    /// record is kept. Default 60 s, from 1 ms to 60 s; zero: never, every duplicate asks the store.</summary>
    /// <remarks>For so long a record that was erased, replaced or lost in the store by another hand may still be replayed here; see
    /// <see cref="IdempotencyGate.ForgetReplay"/>. Unknown outcomes are always asked for. Not used for stores that answer at once.</remarks>
    public TimeSpan ReplayCacheTime { get; set; } = MaxReplayCacheTime;

    /// <summary>How many completed keys this process may answer by itself. Default 10,000, from 1 to 1,000,000.</summary>
    public int ReplayCacheEntries { get; set; } = 10_000;

    /// <summary>How many bytes they may take in all. Default 16 MiB, from 64 KiB to 1 GiB. Not payloads of more than a sixteenth of it.</summary>
    public long ReplayCacheBytes { get; set; } = 16 << 20;

    /// <inheritdoc/>
    protected internal override string Kind => "idempotency";

    /// <inheritdoc/>
    protected internal override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        TimeSpan millisecond = TimeSpan.FromMilliseconds(1), minute = TimeSpan.FromMinutes(1), hour = TimeSpan.FromHours(1);
        check.Span(nameof(Lease), Lease, TimeSpan.FromMilliseconds(50), hour);
        check.Span(nameof(Retention), Retention, Lease, IdempotencyStoreArguments.MaxRetention);
        check.Span(nameof(MaxExecution), MaxExecution, Lease);
        check.Number(nameof(MaxAttempts), MaxAttempts, 1);
        check.Defined(nameof(WhenInFlight), WhenInFlight);
        check.Span(nameof(MaxWait), MaxWait, millisecond, hour);
        check.Number(nameof(MaxWaitersPerKey), MaxWaitersPerKey, 1, 1_000_000);
        check.Number(nameof(MaxWaiters), MaxWaiters, 1, 1_000_000);
        check.Defined(nameof(WhenStoreFails), WhenStoreFails);
        check.Span(nameof(AcquireTimeout), AcquireTimeout, millisecond, minute);
        check.Span(nameof(FinishTimeout), FinishTimeout, millisecond, minute);
        if (ReplayCacheTime != TimeSpan.Zero) check.Span(nameof(ReplayCacheTime), ReplayCacheTime, millisecond, MaxReplayCacheTime);
        check.Number(nameof(ReplayCacheEntries), ReplayCacheEntries, 1, 1_000_000);
        check.Number(nameof(ReplayCacheBytes), ReplayCacheBytes, 64 << 10, 1 << 30);
        if (PurgeInterval != TimeSpan.Zero) check.Span(nameof(PurgeInterval), PurgeInterval, TimeSpan.FromSeconds(1));
    }
}
