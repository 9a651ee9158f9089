using System.Threading.RateLimiting;

namespace Resilience.Overload;

/// <summary>Adaptive concurrency limits where a limiter of <c>System.Threading.RateLimiting</c> is asked for.</summary>
/// <example><code>
/// AdaptiveConcurrencyLimit limit = new(new AdaptiveConcurrencyLimitOptions { Name = "api", Algorithm = LimitAlgorithm.Gradient });
/// services.AddRateLimiter(o =&gt; o.GlobalLimiter = limit.AsPartitionedRateLimiter&lt;HttpContext&gt;());
/// </code></example>
public static class AdaptiveLimitRateLimitingExtensions
{
    private static readonly TimeSpan DefaultHold = TimeSpan.FromMinutes(5), MinHold = TimeSpan.FromSeconds(1), MaxHold = TimeSpan.FromDays(1);

    /// <summary>A limiter that takes places of this limit. A lease is one place, and what is measured is the time until it is disposed of.</summary>
    /// <remarks>A lease says nothing of how its call ended, so every one is a sample of latency. With <see cref="LimitAlgorithm.Signals"/> set
    /// <see cref="AdaptiveConcurrencyLimitOptions.LatencyTarget"/>, or nothing can make the limit smaller.</remarks>
    /// <param name="limit">The limit; the limiter does not own it.</param>
    /// <param name="criticality">The class of all its calls.</param>
    /// <param name="maxHold">How long a lease may be held, 1 s to a day. An older one gives its place back when the next is asked for, is no sample, and is
    /// counted. Default: 5 min.</param>
    /// <exception cref="ArgumentNullException"><paramref name="limit"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined, or <paramref name="maxHold"/> is out of range.</exception>
    public static AdaptiveRateLimiter AsRateLimiter(
        this AdaptiveConcurrencyLimit limit, Criticality criticality = Criticality.Critical, TimeSpan? maxHold = null)
    {
        if (!Enum.IsDefined(criticality)) throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
        return new(Held(limit, maxHold), criticality);
    }

    /// <summary>The same for each resource, such as a request to a server, by its class.</summary>
    /// <inheritdoc cref="AsRateLimiter"/>
    /// <typeparam name="TResource">What is limited.</typeparam>
    /// <param name="limit">The limit; the limiter does not own it.</param>
    /// <param name="criticalityOf">Says the class. What it throws is counted, and the class is <see cref="Criticality.Critical"/> then. Default: all are
    /// <see cref="Criticality.Critical"/>.</param>
    /// <param name="maxHold">How long a lease may be held, 1 s to a day. Default: 5 min.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxHold"/> is out of range.</exception>
    public static PartitionedRateLimiter<TResource> AsPartitionedRateLimiter<TResource>(
        this AdaptiveConcurrencyLimit limit, Func<TResource, Criticality>? criticalityOf = null, TimeSpan? maxHold = null) =>
        new AdaptivePartitions<TResource>(Held(limit, maxHold), criticalityOf);

    private static HeldLeases Held(AdaptiveConcurrencyLimit limit, TimeSpan? maxHold)
    {
        ArgumentNullException.ThrowIfNull(limit);
        TimeSpan hold = maxHold ?? DefaultHold;
        ArgumentOutOfRangeException.ThrowIfLessThan(hold, MinHold, nameof(maxHold));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(hold, MaxHold, nameof(maxHold));
        return new(limit, hold);
    }
}
