namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>The arithmetic of the limit that learns from signs of overload, by vectors.</summary>
public sealed class SignalRulesTests
{
    private static readonly SignalRules Rules = new(LimitTerms.Of(new()));

    private static LimitWindow Window(int overloads = 0, int slow = 0, int peak = 1_000, long rejected = 0) =>
        new(1_000, 1_000, 100 - overloads, 50, peak, rejected, overloads, slow);

    private static LimitStep Judge(double limit, LimitWindow window, bool isSlowStart = false) =>
        Rules.Judge(new() { Limit = limit, IsSlowStart = isSlowStart, Epoch = 1 }, window, 0.5);

    [Fact]
    public void Signs_of_overload_shrink_it_by_a_tenth()
    {
        double limit = 100;
        List<double> limits = [];
        for (int i = 0; i < 3; i++) limits.Add(limit = Judge(limit, Window(overloads: 20)).State.Limit);
        limits.Select(l => Math.Round(l, 9)).Should().Equal(90, 81, 72.9);
        Judge(100, Window(overloads: 2)).Decision.Should().NotBe(LimitDecision.Signal, "exactly the share is no overload");
        Judge(100, Window(slow: 11)).State.Limit.Should().Be(90);
        Judge(100, Window(slow: 10)).Decision.Should().NotBe(LimitDecision.Signal);
    }

    [Fact]
    public void A_limit_that_is_reached_doubles_until_the_first_sign_and_grows_by_one_later()
    {
        LimitStep doubled = Judge(20, Window(), isSlowStart: true);
        (doubled.State.Limit, doubled.Decision).Should().Be((40, LimitDecision.SlowStart));
        LimitStep first = Rules.Judge(doubled.State, Window(overloads: 50), 0.5);
        (first.State.Limit, first.State.IsSlowStart).Should().Be((36, false));
        Rules.Judge(first.State, Window(), 0.5).State.Limit.Should().Be(37);
    }

    [Theory]
    [InlineData(79, 0, 100)]
    [InlineData(80, 0, 101)]
    [InlineData(10, 1, 101)]
    public void A_limit_that_is_not_reached_stays(int peak, long rejected, double expected) =>
        Judge(100, Window(peak: peak, rejected: rejected)).State.Limit.Should().Be(expected);

    [Fact]
    public void It_stays_between_its_bounds_and_says_so()
    {
        LimitStep floor = Judge(1, Window(overloads: 50)), ceiling = Judge(1_000, Window());
        (floor.State.Limit, floor.Decision).Should().Be((1, LimitDecision.Floor));
        (ceiling.State.Limit, ceiling.Decision).Should().Be((1_000, LimitDecision.Ceiling));
    }

    [Fact]
    public void A_window_of_ten_calls_is_enough() => Rules.IsOver(new() { Limit = 20 }, 1_000, 0, 10).Should().BeTrue();
}
