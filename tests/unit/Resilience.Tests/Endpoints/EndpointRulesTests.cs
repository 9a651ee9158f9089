namespace Resilience.Tests.Endpoints;

/// <summary>The arithmetic of endpoints: averages, ejection times, shares, and which part of a list a process uses.</summary>
public sealed class EndpointRulesTests
{
    private const double DecayMs = 10_000;
    private static readonly EndpointEjectionOptions Options = new();

    [Fact]
    public void A_peak_is_taken_at_once_and_forgotten_slowly()
    {
        long word = PeakEwma.Observe(0, 100, 0, DecayMs);
        PeakEwma.Read(word, 0, DecayMs).Should().Be(100);
        word = PeakEwma.Observe(word, 10, 10_000, DecayMs);
        PeakEwma.Read(word, 10_000, DecayMs).Should().BeApproximately(43.109, 0.001);
        PeakEwma.Read(word, 20_000, DecayMs).Should().BeApproximately(15.859, 0.001);
        PeakEwma.Read(PeakEwma.Observe(word, 70, 20_000, DecayMs), 20_000, DecayMs).Should().Be(70);
        PeakEwma.Read(0, 5, DecayMs).Should().BeNull();
        PeakEwma.Read(PeakEwma.Observe(0, 0, 0, DecayMs), 0, DecayMs).Should().NotBeNull("nothing took no time, and that is known");
    }

    [Fact]
    public void What_took_at_least_so_long_is_a_peak_or_nothing()
    {
        long word = PeakEwma.Observe(0, 100, 0, DecayMs);
        PeakEwma.ObserveAtLeast(word, 99, 0, DecayMs).Should().Be(word);
        PeakEwma.Read(PeakEwma.ObserveAtLeast(word, 150, 0, DecayMs), 0, DecayMs).Should().Be(150);
        PeakEwma.Read(PeakEwma.ObserveAtLeast(0, 3, 0, DecayMs), 0, DecayMs).Should().Be(3);
    }

    [Fact]
    public void The_stamp_may_wrap()
    {
        long word = PeakEwma.Observe(0, 100, uint.MaxValue - 4_999L, DecayMs);
        PeakEwma.Read(word, uint.MaxValue + 5_001L, DecayMs).Should().BeApproximately(100 * Math.Exp(-1), 0.01);
    }

    [Fact]
    public void The_nth_ejection_takes_n_times_as_long_up_to_the_greatest_and_a_healthy_interval_takes_one_back()
    {
        EndpointHealth health = EndpointHealth.Well;
        for (int n = 1; n <= 12; n++)
        {
            EndpointHealth ejected = health.Ejected(1_000, 30_000, 300_000);
            (ejected.Ms - 1_000, ejected.State, ejected.Level).Should().Be((Math.Min(n * 30_000, 300_000), EndpointState.Ejected, n));
            health = EndpointHealth.Of(EndpointState.In, ejected.Level, 0, false, 0);
        }

        health.Recovered(0).Level.Should().Be(11);
        EndpointHealth.Well.Recovered(0).Should().Be(EndpointHealth.Well);
        EndpointHealth many = EndpointHealth.Of(EndpointState.In, 63, 0, false, 0);
        many.Ejected(0, 30_000, 300_000).Level.Should().Be(63, "the level has six bits");
    }

    /// <summary>Every sequence of what can happen to an endpoint that is left out, against the drawing.</summary>
    [Fact]
    public void It_comes_back_one_call_at_a_time_and_then_with_a_growing_weight()
    {
        EndpointHealth health = EndpointHealth.Well.Ejected(0, 30_000, 300_000);
        health.MayProbe(29_999, 30_000).Should().BeFalse();
        health.Weight(40_000).Should().Be(0);
        for (int good = 0; good < 3; good++)
        {
            health.MayProbe(30_000, 30_000).Should().BeTrue();
            health = health.ProbeBegan(30_000);
            (health.MayProbe(59_999, 30_000), health.MayProbe(60_000, 30_000)).Should().Be((false, true), "one at a time, and a lost one is given up");
            health = health.ProbeSucceeded(31_000);
            health.State.Should().Be(good < 2 ? EndpointState.Probing : EndpointState.Ramping);
        }

        (health.Weight(31_000), health.Weight(36_000), health.Weight(41_000)).Should().Be((0.1, 0.55, 1.0));
        (health.Recovered(40_999).State, health.Recovered(41_000)).Should().Be((EndpointState.Ramping, EndpointHealth.Well));
        EndpointHealth.Well.Ejected(0, 30_000, 300_000).ProbeBegan(30_000).ProbeVoid(30_500).MayProbe(30_500, 30_000).Should().BeTrue();
    }

    [Fact]
    public void A_word_keeps_all_its_parts_apart()
    {
        foreach (EndpointState state in Enum.GetValues<EndpointState>())
        {
            (int, int, bool, long)[] parts = [(0, 0, false, 0), (63, 3, true, (1L << 48) - 1), (21, 1, true, 5), (42, 2, false, 1L << 47)];
            foreach ((int level, int good, bool isOut, long ms) in parts)
            {
                EndpointHealth health = EndpointHealth.Of(state, level, good, isOut, ms);
                (health.State, health.Level, health.Good, health.IsProbeOut, health.Ms).Should().Be((state, level, good, isOut, ms));
            }
        }
    }

    [Theory]
    [InlineData(10, 0.3, 3)]
    [InlineData(10, 0.29, 2)]
    [InlineData(3, 0.3, 1)]
    [InlineData(2, 0.3, 1)]
    [InlineData(1, 0.3, 0)]
    [InlineData(0, 0.3, 0)]
    [InlineData(10, 0, 0)]
    public void So_many_may_be_left_out(int endpoints, double share, int expected) => EjectionRules.MaxOut(endpoints, share).Should().Be(expected);

    [Theory]
    [InlineData(10, 5, true)]
    [InlineData(10, 4, false)]
    [InlineData(9, 9, false)]
    public void Half_of_ten_is_too_much(int ended, int failed, bool expected) =>
        EjectionRules.FailsTooMuch(new(ended, failed, null, 0), Options).Should().Be(expected);

    [Fact]
    public void One_is_slow_beside_the_median_of_the_others_and_not_where_all_are()
    {
        static EndpointInterval Took(double ms, int answers = 20) => new(answers, 0, ms, answers);
        EjectionRules.IsSlow([Took(10), Took(12), Took(51), Took(8)], 2, 5).Should().BeTrue();
        EjectionRules.IsSlow([Took(10), Took(12), Took(50), Took(8)], 2, 5).Should().BeFalse("exactly five times is not more");
        EjectionRules.IsSlow([Took(200), Took(240), Took(300), Took(180)], 2, 5).Should().BeFalse();
        EjectionRules.IsSlow([Took(10), Took(51)], 1, 5).Should().BeFalse("one other is no median");
        EjectionRules.IsSlow([Took(10), Took(12), Took(51, answers: 4)], 2, 5).Should().BeFalse("four answers prove nothing");
        EjectionRules.IsSlow([Took(10), new(20, 20, null, 0), Took(51), Took(8)], 1, 5).Should().BeFalse("it has answered nothing");
    }

    /// <summary>The rule of A50 (mean − 1.9 standard deviations) is not used: with three dead of ten its bound is below zero, and none is left out.</summary>
    [Theory]
    [InlineData(52.0, 50, 100, 100, 100, 100)]
    [InlineData(53.1, 30, 100, 100, 100, 100, 100, 100, 100, 100, 100)]
    [InlineData(17.2, 0, 30, 100, 100, 100, 100, 100, 100, 100, 100)]
    [InlineData(4.0, 0, 0, 100, 100, 100, 100, 100, 100, 100, 100)]
    [InlineData(-17.1, 0, 0, 0, 100, 100, 100, 100, 100, 100, 100)]
    public void What_the_rule_of_A50_would_say(double expected, params int[] rates)
    {
        double mean = rates.Average(), deviation = Math.Sqrt(rates.Average(r => (r - mean) * (r - mean)));
        (mean - (1.9 * deviation)).Should().BeApproximately(expected, 0.05);
        EndpointInterval[] intervals = [.. rates.Select(rate => new EndpointInterval(100, 100 - rate, 10, rate))];
        intervals.Count(i => EjectionRules.FailsTooMuch(i, Options)).Should().Be(rates.Count(rate => rate <= 50), "ours finds each");
    }

    [Theory]
    [InlineData(10, 5, false)]
    [InlineData(10, 6, true)]
    [InlineData(10, 0, false)]
    public void All_are_used_when_fewer_than_half_are_well(int endpoints, int unwell, bool expected) =>
        EjectionRules.IsPanic(endpoints, unwell, 0.5).Should().Be(expected);

    [Fact]
    public void A_process_uses_the_same_part_of_a_list_and_processes_use_all_of_it_evenly()
    {
        Uri[] all = [.. Enumerable.Range(0, 200).Select(i => new Uri($"http://10.0.0.{i}"))];
        List<Uri> own = Rendezvous.Subset(all, 20, "a|1");
        own.Should().HaveCount(20).And.Equal(Rendezvous.Subset(all, 20, "a|1"));
        Rendezvous.Subset([.. all.Where(a => a != own[7])], 20, "a|1").Except(own).Should().HaveCount(1, "one has gone, so one comes");
        int[] used = new int[200];
        for (int process = 0; process < 1000; process++)
        {
            foreach (Uri address in Rendezvous.Subset(all, 20, $"host|{process}")) used[Array.IndexOf(all, address)]++;
        }

        used.Min().Should().BeGreaterThan(60, "100 is the mean");
        used.Max().Should().BeLessThan(140);
        Rendezvous.Subset(all, null, "a|1").Should().Equal(all);
    }

    public static TheoryData<string, Action<EndpointSetOptions>> Wrong => new()
    {
        { "Addresses", o => o.Addresses.Add(new("relative", UriKind.Relative)) },
        { "DecayTime", o => o.DecayTime = TimeSpan.FromMilliseconds(99) },
        { "SubsetSize", o => o.SubsetSize = 1 },
        { "Choice", o => o.Choice = (EndpointChoice)3 },
        { "Ejection.ConsecutiveFailures", o => o.Ejection!.ConsecutiveFailures = 0 },
        { "Ejection.Interval", o => o.Ejection!.Interval = TimeSpan.FromMilliseconds(99) },
        { "Ejection.FailureShare", o => o.Ejection!.FailureShare = 0 },
        { "Ejection.MinRequests", o => o.Ejection!.MinRequests = 0 },
        { "Ejection.MinEndpoints", o => o.Ejection!.MinEndpoints = 1 },
        { "Ejection.SlowFactor", o => o.Ejection!.SlowFactor = 1 },
        { "Ejection.Base", o => o.Ejection!.Base = TimeSpan.Zero },
        { "Ejection.Max", o => o.Ejection!.Max = TimeSpan.FromSeconds(29) },
        { "Ejection.MaxShare", o => o.Ejection!.MaxShare = 1 },
        { "Ejection.PanicBelow", o => o.Ejection!.PanicBelow = -0.1 },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Options_out_of_range_are_named(string option, Action<EndpointSetOptions> change)
    {
        EndpointSetOptions options = new();
        change(options);
        new Action(() => _ = new EndpointSet(options)).Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option).Should().Equal(option);
    }
}
