using System.Threading.RateLimiting;

namespace Resilience.Overload;

/// <summary>An <see cref="AdaptiveConcurrencyLimit"/> as a <see cref="RateLimiter"/>. Thread-safe. To dispose of it leaves the limit and the leases that are
/// out as they are.</summary>
public sealed class AdaptiveRateLimiter : RateLimiter
{
    private readonly HeldLeases _leases;
    private readonly Criticality _criticality;
    private volatile bool _isDisposed;

    internal AdaptiveRateLimiter(HeldLeases leases, Criticality criticality) => (_leases, _criticality) = (leases, criticality);

    /// <summary>Leases that were held for too long, and whose places were given back without them.</summary>
    public long ExpiredLeases => _leases.Expired;

    /// <summary>Always null: the limit belongs to the caller that made it, so there is nothing to clean up.</summary>
    public override TimeSpan? IdleDuration => null;

    /// <inheritdoc/>
    public override RateLimiterStatistics GetStatistics() => _leases.GetStatistics();

    /// <inheritdoc/>
    protected override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _leases.Attempt(permitCount, _criticality);
    }

    /// <inheritdoc/>
    protected override ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _leases.AcquireAsync(permitCount, _criticality, cancellationToken);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        base.Dispose(disposing);
    }
}
