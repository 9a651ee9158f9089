using System.Threading.RateLimiting;
using Resilience.Overload;

namespace Resilience;

/// <summary>An adaptive limit for resources, each by its class.</summary>
internal sealed class AdaptivePartitions<TResource>(HeldLeases leases, Func<TResource, Criticality>? criticalityOf) : PartitionedRateLimiter<TResource>
{
    private volatile bool _isDisposed;

    public override RateLimiterStatistics GetStatistics(TResource resource) => leases.GetStatistics();

    protected override RateLimitLease AttemptAcquireCore(TResource resource, int permitCount)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return leases.Attempt(permitCount, ClassOf(resource));
    }

    protected override ValueTask<RateLimitLease> AcquireAsyncCore(TResource resource, int permitCount, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return leases.AcquireAsync(permitCount, ClassOf(resource), cancellationToken);
    }

    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        base.Dispose(disposing);
    }

    private Criticality ClassOf(TResource resource)
    {
        if (criticalityOf is null) return Criticality.Critical;
        try
        {
            Criticality said = criticalityOf(resource);
            return Enum.IsDefined(said) ? said : Criticality.Critical;
        }
        catch (Exception error)
        {
            SafeCalls.Report("rate limiter criticality", error);
            return Criticality.Critical;
        }
    }
}
