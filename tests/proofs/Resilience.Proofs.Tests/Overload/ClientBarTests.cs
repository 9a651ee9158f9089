using Resilience.Experiments;

namespace Resilience.Tests.Overload;

/// <summary>The engines at clients: a limit by signals at each of many, and a throttle alone.</summary>
public sealed class ClientBarTests
{
    private static readonly int Seeds = Bounds.Of(3, 20);
    private static readonly TimeSpan Target = TimeSpan.FromMilliseconds(250);

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    [InlineData(40)]
    public void Many_clients_share_a_server_that_rejects(int clients)
    {
        Fleet[] fleets = Run(clients, admits: 30, target: null);
        foreach (Fleet fleet in fleets)
        {
            fleet.Goodput.Should().BeGreaterThan(0.97 * Scenarios.Capacity);
            ((double)fleet.RejectedByServer / fleet.Sent).Should().BeLessThan(0.25);
        }

        IsFair(fleets);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(10)]
    [InlineData(40)]
    public void Many_clients_with_a_target_share_a_server_that_queues_without_end(int clients)
    {
        Fleet[] fleets = Run(clients, admits: int.MaxValue, target: Target);
        foreach (Fleet fleet in fleets)
        {
            fleet.Goodput.Should().BeGreaterThan(0.97 * Scenarios.Capacity);
            fleet.Latencies.Quantile(0.99).Should().BeLessThan(2 * Target.TotalMilliseconds);
        }

        IsFair(fleets);
    }

    [Fact]
    public void Without_overload_no_client_rejects_and_the_server_hardly_ever()
    {
        Fleet fleet = Fleet.Run(1, 10, 300, 30, (world, chance, i) => Limits.Client(world, chance, 20, null));
        ((double)fleet.RejectedByServer / fleet.Sent).Should().BeLessThan(0.01);
        ((double)(fleet.Arrived - fleet.Sent) / fleet.Arrived).Should().BeLessThan(0.001);
    }

    [Fact]
    public void A_throttle_sends_the_geometric_mean_of_what_is_accepted_and_offered_and_K()
    {
        const int Accepted = 100, Offered = 1000, Healed = 120;
        for (int seed = 1; seed <= Seeds; seed++)
        {
            ThrottledLoad load = Throttled(Healed + 60, seed, (second, accepted, _) => accepted < Accepted || second >= Healed);
            double expected = Math.Sqrt(2.0 * Accepted * Offered);
            load.SentPerSecond(60, Healed).Should().BeInRange(0.9 * expected, 1.1 * expected);
            load.SentPerSecond(Healed + 30, Healed + 60).Should().BeGreaterThan(0.99 * Offered, "half a minute after it healed all is sent");
        }
    }

    [Fact]
    public void A_throttle_sends_a_tenth_to_a_dependency_that_is_dead()
    {
        ThrottledLoad load = Throttled(720, 1, (second, _, _) => second < 60);
        load.SentPerSecond(120, 720).Should().BeLessThanOrEqualTo((0.1 * 1000) + 1).And.BeGreaterThan(90);
    }

    private static ThrottledLoad Throttled(int seconds, long seed, Func<int, long, double, bool> accepts) =>
        ThrottledLoad.Run(seconds, 1000, seed, static (world, chance) => new RealThrottle(world, chance, new() { Name = "throttle" }), accepts);

    private static Fleet[] Run(int clients, int admits, TimeSpan? target) => [.. Enumerable.Range(1, Seeds).Select(seed => Fleet.Run(
        seed, clients, 3 * Scenarios.Capacity, admits, (world, chance, i) => Limits.Client(world, chance, i == 0 ? 100 : 20, target)))];

    /// <summary>Limits of seven or eight places each go up and down by one: over ten minutes that alone makes an index of 0.96 to 1 for four clients (decision
    /// 0067).</summary>
    private static void IsFair(Fleet[] fleets)
    {
        fleets.Average(f => f.Fairness).Should().BeGreaterThan(0.98);
        fleets.Min(f => f.Fairness).Should().BeGreaterThan(0.95);
    }
}
