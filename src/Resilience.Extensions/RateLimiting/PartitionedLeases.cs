using System.Threading.RateLimiting;

namespace Resilience;

/// <summary>From a limiter that has a partition for each key.</summary>
internal sealed class PartitionedLeases(PartitionedRateLimiter<ResilienceContext> limiter) : Leases
{
    internal override object Limiter => limiter;

    protected override RateLimitLease Attempt(ResilienceContext context, int permits) => limiter.AttemptAcquire(context, permits);

    protected override ValueTask<RateLimitLease> QueueAsync(ResilienceContext context, int permits) =>
        limiter.AcquireAsync(context, permits, context.CancellationToken);
}
