using System.Threading.RateLimiting;

namespace Resilience;

/// <summary>From one limiter.</summary>
internal sealed class PlainLeases(RateLimiter limiter) : Leases
{
    internal override object Limiter => limiter;

    internal override RateLimiterStatistics? Statistics => limiter.GetStatistics();

    protected override RateLimitLease Attempt(ResilienceContext context, int permits) => limiter.AttemptAcquire(permits);

    protected override ValueTask<RateLimitLease> QueueAsync(ResilienceContext context, int permits) =>
        limiter.AcquireAsync(permits, context.CancellationToken);
}
