using System.Diagnostics;
using System.Threading.RateLimiting;
using Resilience.Overload;

namespace Resilience;

/// <summary>The leases of a limit that are out, oldest first. One that is held for too long loses its place when the next is asked for: a lease that is never
/// disposed of would take a place for ever, and no timer is needed to notice, because only who asks for a place can miss it.</summary>
internal sealed class HeldLeases(AdaptiveConcurrencyLimit limit, TimeSpan maxHold)
{
    private static readonly HeldLease Nothing = new(null, default); // for those who ask whether there is a place, and take none

    private readonly Lock _gate = new(); // runs no code of others; places are given back outside
    private readonly LinkedList<HeldLease> _held = new();
    private long _granted;
    private long _rejected;
    private long _expired;

    internal long Expired => Volatile.Read(ref _expired);

    internal RateLimiterStatistics GetStatistics() => new()
    {
        CurrentAvailablePermits = Math.Max(0, limit.Limit - limit.Running),
        CurrentQueuedCount = limit.Waiting,
        TotalSuccessfulLeases = Volatile.Read(ref _granted),
        TotalFailedLeases = Volatile.Read(ref _rejected),
    };

    internal RateLimitLease Attempt(int permits, Criticality criticality)
    {
        Check(permits);
        EndOld();
        if (permits == 0) return limit.Running < limit.Limit ? Nothing : Rejected("all places are taken at this moment");
        ValueTask<LimitAdmission> entering = limit.EnterAsync(criticality, TimeSpan.Zero); // no time to wait: it is answered at once
        return entering.IsCompletedSuccessfully ? Leased(entering.Result) : throw new UnreachableException();
    }

    internal async ValueTask<RateLimitLease> AcquireAsync(int permits, Criticality criticality, CancellationToken cancellationToken)
    {
        if (permits != 1) return Attempt(permits, criticality);
        EndOld();
        return Leased(await limit.EnterAsync(criticality, null, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Its call has ended: all the time until now is its latency.</summary>
    internal void End(HeldLease lease)
    {
        if (TryRemove(lease)) limit.Leave(lease.Permit, Verdict.Success);
    }

    private RateLimitLease Leased(LimitAdmission admission)
    {
        if (!admission.IsAdmitted) return Rejected(admission.Rejection.Reason);
        Interlocked.Increment(ref _granted); // a statistic
        HeldLease lease = new(this, admission.Permit);
        lock (_gate) lease.Node = _held.AddLast(lease);
        return lease;
    }

    private RejectedLease Rejected(string reason)
    {
        Interlocked.Increment(ref _rejected); // a statistic
        return new(reason);
    }

    private bool TryRemove(HeldLease lease)
    {
        lock (_gate)
        {
            if (lease.Node is not { } node) return false;
            _held.Remove(node);
            lease.Node = null;
            return true;
        }
    }

    private void EndOld()
    {
        while (true)
        {
            HeldLease? oldest;
            lock (_gate) oldest = _held.First?.Value;
            if (oldest is null || limit.ElapsedSince(oldest.Permit) < maxHold) return;
            if (!TryRemove(oldest)) continue; // its call has just ended
            Interlocked.Increment(ref _expired); // a statistic
            limit.Leave(oldest.Permit, Verdict.Ignored);
            SafeCalls.Report("rate limiter lease", new TimeoutException($"A lease of {limit.Name} was held for longer than {SpanText.Of(maxHold)}."));
        }
    }

    private static void Check(int permits)
    {
        if (permits > 1) throw new ArgumentOutOfRangeException(nameof(permits), permits, "A call takes one place.");
    }
}
