namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>The arithmetic of the limit that learns from latency, by vectors.</summary>
public sealed class GradientRulesTests
{
    private static readonly LimitTerms Terms = LimitTerms.Of(new() { Algorithm = LimitAlgorithm.Gradient });

    private static readonly GradientRules Rules = new(Terms);

    private static LimitState State(double limit, double baseline = 0, bool isSlowStart = false) =>
        new() { Limit = limit, BaselineMs = baseline, IsSlowStart = isSlowStart, ProbeAfterMs = 30_000, Epoch = 1 };

    /// <summary>A window in which more could have run. It is early: no probe is due.</summary>
    private static LimitWindow Bound(double latency, int peak = 1_000) => new(1_000, 1_000, 100, latency, peak, Rejected: 1);

    private static double[] Limits(LimitState state, IEnumerable<LimitWindow> windows) => [.. States(state, windows).Select(s => s.Limit)];

    private static IEnumerable<LimitState> States(LimitState state, IEnumerable<LimitWindow> windows)
    {
        foreach (LimitWindow window in windows)
        {
            state = Rules.Judge(state, window, 0.5).State;
            yield return state;
        }
    }

    private static void Near(double[] found, params double[] expected) =>
        found.Zip(expected).Should().HaveCount(expected.Length).And.OnlyContain(p => Math.Abs(p.First - p.Second) < 0.0006);

    [Fact]
    public void In_the_slow_start_the_limit_doubles() =>
        Limits(State(20, isSlowStart: true), Enumerable.Repeat(Bound(50), 5)).Should().Equal(40, 80, 160, 320, 640);

    [Fact]
    public void Later_it_grows_by_its_root() => Near(Limits(State(20, 50), Enumerable.Repeat(Bound(50), 4)), 24.472, 29.419, 34.843, 40.746);

    [Fact]
    public void It_shrinks_by_half_of_what_the_gradient_asks() =>
        Near(Limits(State(30, 50), [Bound(150), Bound(112.5), Bound(90), Bound(80)]), 22.5, 18.75, 17.188, 16.650);

    [Fact]
    public void It_never_shrinks_by_more_than_a_quarter() => Near(Limits(State(100, 50), Enumerable.Repeat(Bound(1_000), 3)), 75, 56.25, 42.188);

    [Fact]
    public void While_few_places_are_used_the_baseline_follows_and_the_limit_stays()
    {
        LimitWindow idle = new(1_000, 1_000, 100, 100, PeakRunning: 3, Rejected: 0);
        LimitState[] states = [.. States(State(20, 50), Enumerable.Repeat(idle, 3))];
        Near([.. states.Select(s => s.BaselineMs)], 55, 59.5, 63.55);
        states.Should().OnlyContain(s => s.Limit == 20);
    }

    [Fact]
    public void A_limit_that_is_neither_reached_nor_idle_stays()
    {
        LimitStep step = Rules.Judge(State(20, 50), new(1_000, 1_000, 100, 60, PeakRunning: 14, Rejected: 0), 0.5);
        (step.State.Limit, step.State.BaselineMs, step.Decision).Should().Be((20, 50, LimitDecision.Hold));
    }

    [Fact]
    public void A_large_limit_that_is_not_used_comes_back_to_where_it_began()
    {
        LimitWindow idle = new(1_000, 1_000, 100, 50, PeakRunning: 3, Rejected: 0);
        LimitState[] states = [.. States(State(100, 50), Enumerable.Repeat(idle, 100))];
        Near([states[0].Limit, states[1].Limit], 95, 90.25);
        states[^1].Limit.Should().Be(20);
    }

    [Theory]
    [InlineData(20, 90.0, 81.0, 72.9)]
    [InlineData(2, 100.0, 100.0, 100.0)] // exactly the share is no overload
    public void Signs_of_overload_shrink_it_whatever_the_latency(int overloads, params double[] expected)
    {
        LimitWindow window = new(1_000, 1_000, 100 - overloads, 50, PeakRunning: 60, Rejected: 0, Overloads: overloads);
        Near(Limits(State(100, 50), Enumerable.Repeat(window, 3)), expected);
    }

    [Fact]
    public void Slow_calls_are_a_sign_of_overload()
    {
        LimitWindow window = new(1_000, 1_000, 100, 50, PeakRunning: 60, Rejected: 0, Slow: 11);
        Near(Limits(State(100, 50), [window, window with { Slow = 10 }]), 90, 90);
    }

    [Fact]
    public void It_stays_between_its_bounds_and_says_so()
    {
        LimitStep floor = Rules.Judge(State(4, 50), Bound(200), 0.5), ceiling = Rules.Judge(State(990, 50), Bound(50), 0.5);
        (floor.State.Limit, floor.Decision).Should().Be((4, LimitDecision.Floor));
        (ceiling.State.Limit, ceiling.Decision).Should().Be((1_000, LimitDecision.Ceiling));
    }

    [Fact]
    public void The_first_window_is_the_first_baseline() => Rules.Judge(State(20), Bound(40), 0.5).State.BaselineMs.Should().Be(40);

    /// <summary>Saturated: latency is s·L/c. The limit settles at τ·(B/s)·c, and a probe measures at half of it.</summary>
    [Fact]
    public void Each_probe_brings_a_wrong_baseline_nearer_to_the_service_time()
    {
        const double Service = 50, Servers = 20;
        double baseline = 150;
        List<double> baselines = [], limits = [];
        for (int probe = 0; probe < 5; probe++)
        {
            double settled = 1.5 * baseline / Service * Servers;
            double Latency(double limit) => Math.Max(Service, Service * limit / Servers);
            LimitState state = State(settled, baseline);
            LimitStep begun = Rules.Judge(state, new(40_000, 1_000, 100, Latency(settled) * (1 + 1e-9), 1_000, Rejected: 100), 0.5);
            (begun.Decision, begun.State.IsProbing, begun.State.Epoch).Should().Be((LimitDecision.Probe, true, 2));
            begun.State.Limit.Should().BeApproximately(settled / 2, 1e-5);
            LimitStep ended = Rules.Judge(begun.State, new(40_300, 300, 100, Latency(begun.State.Limit), 100, Rejected: 100), 0.5);
            (ended.Decision, ended.State.IsProbing, ended.State.Epoch).Should().Be((LimitDecision.ProbeEnded, false, 3));
            ended.State.Limit.Should().BeApproximately(settled, 1e-5);
            baseline = ended.State.BaselineMs;
            baselines.Add(baseline);
            limits.Add(1.5 * baseline / Service * Servers);
        }

        baselines.Select(b => Math.Round(b, 1)).Should().Equal(112.5, 84.4, 63.3, 50, 50);
        limits.Select(l => Math.Round(l, 1)).Should().Equal(67.5, 50.6, 38, 30, 30);
    }

    [Fact]
    public void A_probe_is_due_while_calls_are_rejected_or_when_latency_stays_high_and_never_otherwise()
    {
        LimitState state = State(20, 50);
        LimitWindow late = new(30_000, 1_000, 99, 50, PeakRunning: 20, Rejected: 2);
        Rules.Judge(state, late, 0.5).State.IsProbing.Should().BeTrue();
        Rules.Judge(state, late with { NowMs = 29_999 }, 0.5).State.IsProbing.Should().BeFalse("it is not due");
        Rules.Judge(state, late with { Rejected = 0 }, 0.5).State.IsProbing.Should().BeFalse("nothing is rejected");
        Rules.Judge(state, late with { Rejected = 1 }, 0.5).State.IsProbing.Should().BeFalse("that is no more than a hundredth");

        LimitWindow high = new(5_000, 1_000, 100, 150, PeakRunning: 20, Rejected: 0);
        state = state with { WindowsBelow = 3 };
        LimitStep fourth = Rules.Judge(state, high, 0.5);
        (fourth.State.WindowsBelow, fourth.State.IsProbing).Should().Be((4, false));
        Rules.Judge(fourth.State, high with { NowMs = 4_999 }, 0.5).State.IsProbing.Should().BeFalse("the last probe was less than 5 s ago");
        Rules.Judge(fourth.State, high, 0.5).State.IsProbing.Should().BeTrue();
    }

    /// <summary>Found in the experiments: a probe that ends by count alone sees the short calls only, and pushed a limit for 200 servers down to 31.</summary>
    [Theory]
    [InlineData(50, 99, 2_999, false)]
    [InlineData(50, 100, 249, false)]
    [InlineData(50, 100, 250, true)]
    [InlineData(100, 1_000, 399, false)]
    [InlineData(100, 100, 400, true)]
    [InlineData(50, 10, 3_000, true)]
    [InlineData(1_000, 100, 3_000, true)]
    [InlineData(50, 9, 9_999, false)]
    [InlineData(50, 0, 10_000, true)]
    public void A_probe_lasts_as_long_as_several_calls(double baseline, long samples, double elapsed, bool isOver)
    {
        LimitState probing = State(10, baseline) with { IsProbing = true, SavedLimit = 20 };
        Rules.IsOver(probing, elapsed, samples, 0).Should().Be(isOver);
        if (isOver) Rules.LeastMs(probing).Should().BeLessThanOrEqualTo(elapsed, "nothing is looked at before");
    }

    [Fact]
    public void A_probe_that_measured_nothing_leaves_the_baseline_and_one_that_found_it_far_off_is_followed_soon()
    {
        LimitState probing = State(10, 50) with { IsProbing = true, SavedLimit = 20, WindowsBelow = 5 };
        LimitState given = Rules.Judge(probing, new(50_000, 10_000, 9, 10, 10, 0), 0.5).State;
        (given.BaselineMs, given.Limit, given.IsProbing, given.Epoch, given.LastProbeMs, given.ProbeAfterMs).Should().Be((50, 20, false, 2, 50_000, 30_000));
        LimitState lower = Rules.Judge(probing, new(50_000, 300, 100, 39, 10, 0), 0.5).State;
        (lower.BaselineMs, lower.ProbeAfterMs, lower.WindowsBelow).Should().Be((39, 5_000, 0));
        LimitState higher = Rules.Judge(probing, new(50_000, 300, 100, 400, 10, 0), 0).State;
        (higher.BaselineMs, higher.ProbeAfterMs).Should().Be((400, 25_500), "a true rise of the latency without load is found here");
    }

    [Fact]
    public void A_window_is_over_when_its_time_is_and_it_has_enough_calls()
    {
        Rules.IsOver(State(20), 999, 1_000, 0).Should().BeFalse();
        Rules.IsOver(State(20), 1_000, 19, 0).Should().BeFalse();
        Rules.IsOver(State(20), 1_000, 10, 10).Should().BeTrue("signs of overload are answers too");
    }

    [Fact]
    public void Without_latencies_to_speak_of_it_stays()
    {
        GradientRules deaf = new(Terms with { OverloadShare = 1 });
        deaf.Judge(State(20, 50), new(1_000, 1_000, 9, 500, 20, 5, Overloads: 11), 0.5).Decision.Should().Be(LimitDecision.Hold);
    }
}
