using System.Threading.RateLimiting;

namespace Resilience;

/// <summary>Where leases come from.</summary>
internal abstract class Leases
{
    internal abstract object Limiter { get; }

    /// <summary>What the limiter says of itself; null when it says nothing, or has no numbers without a key.</summary>
    internal virtual RateLimiterStatistics? Statistics => null;

    /// <summary>At once if that is possible, else by the queue.</summary>
    internal ValueTask<RateLimitLease> TakeAsync(ResilienceContext context, RateLimiterOptions options)
    {
        RateLimitLease lease = Attempt(context, options.Permits);
        if (lease.IsAcquired || !options.MayQueue) return new(lease);
        GiveBack(lease);
        return QueueAsync(context, options.Permits);
    }

    /// <summary>A lease that cannot be given back does not change how a call ends.</summary>
    internal static void GiveBack(RateLimitLease lease)
    {
        try
        {
            lease.Dispose();
        }
        catch (Exception)
        {
            // The limiter's own affair, and there is no place to report it to: its next answers will show it.
        }
    }

    protected abstract RateLimitLease Attempt(ResilienceContext context, int permits);

    protected abstract ValueTask<RateLimitLease> QueueAsync(ResilienceContext context, int permits);
}
