using System.Threading.RateLimiting;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.RateLimiting;

/// <summary>An adaptive limit where a limiter of the framework is asked for.</summary>
public sealed class AdaptiveRateLimiterTests
{
    private readonly FakeTimeProvider _time = new();

    private AdaptiveConcurrencyLimit Make(int places = 2, int queued = 0) => new(
        new() { Name = "api", InitialLimit = places, MaxLimit = places, MaxQueued = queued, CriticalShare = 1, MaxWait = TimeSpan.FromSeconds(10) }, _time);

    [Fact]
    public void A_lease_is_a_place_until_it_is_disposed_of_and_its_time_is_the_latency()
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 20, MaxLimit = 20 }, _time);
        using AdaptiveRateLimiter limiter = limit.AsRateLimiter();
        for (int i = 0; i < 10; i++)
        {
            using RateLimitLease lease = limiter.AttemptAcquire();
            (lease.IsAcquired, limit.Running, lease.MetadataNames.Any()).Should().Be((true, 1, false));
            _time.Advance(TimeSpan.FromMilliseconds(120));
            lease.Dispose();
            lease.Dispose();
            limit.Running.Should().Be(0);
        }

        limit.GetSnapshot().Latency!.Value.TotalMilliseconds.Should().BeInRange(116, 124);
    }

    [Fact]
    public async Task Without_a_place_it_says_why_or_waits_as_the_limit_does()
    {
        AdaptiveConcurrencyLimit limit = Make(1, queued: 1);
        using AdaptiveRateLimiter limiter = limit.AsRateLimiter();
        RateLimitLease held = limiter.AttemptAcquire();
        using RateLimitLease rejected = limiter.AttemptAcquire();
        rejected.IsAcquired.Should().BeFalse();
        rejected.TryGetMetadata(MetadataName.ReasonPhrase, out string? reason).Should().BeTrue();
        reason.Should().StartWith("api: all places for calls of criticality 'critical' are taken");
        rejected.TryGetMetadata("other", out _).Should().BeFalse();
        Task<RateLimitLease> waiting = limiter.AcquireAsync().AsTask();
        waiting.IsCompleted.Should().BeFalse();
        (await limiter.AcquireAsync()).IsAcquired.Should().BeFalse("the queue is full");
        held.Dispose();
        (await waiting.WaitAsync(TimeSpan.FromSeconds(60))).IsAcquired.Should().BeTrue();
        limiter.GetStatistics().Should().BeEquivalentTo(new
        {
            CurrentAvailablePermits = 0L,
            CurrentQueuedCount = 0L,
            TotalSuccessfulLeases = 2L,
            TotalFailedLeases = 2L,
        });
        limiter.IdleDuration.Should().BeNull();
    }

    [Fact]
    public void A_lease_that_is_held_for_too_long_gives_its_place_back_and_is_counted()
    {
        AdaptiveConcurrencyLimit limit = Make(1);
        using AdaptiveRateLimiter limiter = limit.AsRateLimiter();
        RateLimitLease lost = limiter.AttemptAcquire();
        _time.Advance(TimeSpan.FromMinutes(5) - TimeSpan.FromTicks(1));
        limiter.AttemptAcquire().IsAcquired.Should().BeFalse();
        _time.Advance(TimeSpan.FromTicks(1));
        using RateLimitLease next = limiter.AttemptAcquire();
        (next.IsAcquired, limiter.ExpiredLeases, limit.Running).Should().Be((true, 1, 1));
        lost.Dispose();
        limit.Running.Should().Be(1, "the place is another's");
        limit.GetSnapshot().Latency.Should().BeNull();
    }

    [Fact]
    public void To_ask_for_no_place_takes_none_and_to_ask_for_two_is_wrong()
    {
        AdaptiveConcurrencyLimit limit = Make(1);
        using AdaptiveRateLimiter limiter = limit.AsRateLimiter();
        using (RateLimitLease free = limiter.AttemptAcquire(0)) (free.IsAcquired, limit.Running).Should().Be((true, 0));
        limiter.AttemptAcquire();
        limiter.AttemptAcquire(0).IsAcquired.Should().BeFalse();
        limiter.Invoking(l => l.AttemptAcquire(2)).Should().Throw<ArgumentOutOfRangeException>();
        limiter.Dispose();
        limiter.Invoking(l => l.AttemptAcquire()).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public async Task Resources_have_their_class_and_a_delegate_that_throws_costs_nothing()
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 10 }, _time);
        using PartitionedRateLimiter<string> limiter = limit.AsPartitionedRateLimiter<string>(
            r => r switch { "batch" => Criticality.Sheddable, "user" => Criticality.CriticalPlus, "odd" => (Criticality)9, _ => throw new FormatException() });
        for (int i = 0; i < 7; i++) limiter.AttemptAcquire("batch").IsAcquired.Should().BeTrue();
        limiter.AttemptAcquire("batch").IsAcquired.Should().BeFalse();
        limiter.AttemptAcquire("odd").IsAcquired.Should().BeTrue();
        (await limiter.AcquireAsync("broken")).IsAcquired.Should().BeTrue("its class is that of most calls");
        limiter.AttemptAcquire("broken").IsAcquired.Should().BeFalse();
        (await limiter.AcquireAsync("user")).IsAcquired.Should().BeTrue();
        limiter.GetStatistics("user")!.CurrentAvailablePermits.Should().Be(0);
    }

    [Fact]
    public void What_is_out_of_range_is_rejected()
    {
        AdaptiveConcurrencyLimit limit = Make();
        limit.Invoking(l => l.AsRateLimiter((Criticality)4)).Should().Throw<ArgumentOutOfRangeException>();
        limit.Invoking(l => l.AsRateLimiter(maxHold: TimeSpan.FromMilliseconds(999))).Should().Throw<ArgumentOutOfRangeException>();
        limit.Invoking(l => l.AsPartitionedRateLimiter<int>(maxHold: TimeSpan.FromDays(2))).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => default(AdaptiveConcurrencyLimit)!.AsRateLimiter()).Should().Throw<ArgumentNullException>();
    }
}
