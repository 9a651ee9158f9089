using Resilience.Experiments;

namespace Resilience.Tests.Overload;

/// <summary>The ports of other projects' limits, each against vectors that were computed from its published formula.</summary>
public sealed class PortVectorTests
{
    [Fact]
    public void Gradient2_grows_by_four_fifths_for_ever_where_latency_is_constant()
    {
        Gradient2Limit.Rules rules = new();
        double limit = 20;
        for (int n = 1; n <= 225; n++)
        {
            limit = rules.Next(limit, latency: 50, running: 1000);
            limit.Should().BeApproximately(20 + (0.8 * n), 1e-6);
        }

        limit.Should().BeApproximately(200, 1e-6);
    }

    [Theory]
    [InlineData(10, 11, 16)]
    [InlineData(50, 11, 9)]
    [InlineData(14, 14, 10)]
    public void Vegas_goes_by_its_estimated_queue(double latency, int running, double expected)
    {
        VegasLimit.Rules rules = new(new Chance(1), max: 20);
        rules.Next(10, 10, 10).Should().Be(10, "the first window is the least latency");
        rules.Next(10, latency, running).Should().Be(expected);
    }

    [Fact]
    public void Aimd_adds_one_and_takes_a_tenth()
    {
        AimdLimit.Next(20, 50, 10, isDropped: false).Should().Be(21);
        AimdLimit.Next(30, 50, 30, isDropped: true).Should().Be(27);
    }

    [Fact]
    public void Envoy_grows_in_whole_numbers_and_shrinks_by_the_gradient()
    {
        double limit = 3;
        List<double> limits = [];
        for (int i = 0; i < 8; i++) limits.Add(limit = EnvoyLimit.Next(limit, latency: 5, least: 5));
        limits.Should().Equal(5, 8, 13, 20, 30, 43, 61, 84);
        EnvoyLimit.Next(100, latency: 10, least: 5).Should().Be(70);
    }

    [Theory]
    [InlineData(20, 1, 21)]
    [InlineData(21, 0.5, 22)]
    [InlineData(20, 2, 19)]
    [InlineData(19, 2, 18)]
    [InlineData(20, 1.3, 20)]
    public void Failsafe_goes_by_its_estimated_queue_in_steps_of_a_logarithm(double limit, double latency, double expected) =>
        Math.Round(new FailsafeLimit.Rules().Next(limit, baseline: 1, recent: latency, running: 20, isFull: false)).Should().Be(expected);

    [Fact]
    public void Follys_controlled_delay_goes_by_the_least_wait_of_an_interval()
    {
        ControlledDelay delay = new();
        delay.Rejects(0, 50).Should().BeFalse("the first of an interval is never rejected");
        delay.Rejects(50, 6).Should().BeFalse("nothing is known of the interval before");
        delay.Rejects(100, 50).Should().BeFalse("the first again");
        delay.Rejects(110, 11).Should().BeTrue("even the least wait, 6 ms, was more than 5, and 11 is more than twice 5");
        delay.Rejects(120, 10).Should().BeFalse();
        delay.Rejects(130, 1).Should().BeFalse();
        delay.Rejects(201, 50).Should().BeFalse();
        delay.Rejects(210, 50).Should().BeFalse("the least wait was 1 ms");
    }

    [Fact]
    public void A50_does_not_eject_when_three_of_ten_are_dead()
    {
        OutlierDetection.Threshold([50, 100, 100, 100, 100]).Should().BeApproximately(52.0, 0.05);
        OutlierDetection.Threshold([30, .. Enumerable.Repeat(100.0, 9)]).Should().BeApproximately(53.1, 0.05);
        OutlierDetection.Threshold([0, 30, .. Enumerable.Repeat(100.0, 8)]).Should().BeApproximately(17.2, 0.05);
        OutlierDetection.Threshold([0, 0, .. Enumerable.Repeat(100.0, 8)]).Should().BeApproximately(4.0, 0.05);
        OutlierDetection.Threshold([0, 0, 0, .. Enumerable.Repeat(100.0, 7)]).Should().BeApproximately(-17.1, 0.05);
        Enumerable.Range(1, 12).Select(OutlierDetection.EjectionSeconds).Should().Equal(30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300);
    }
}
