namespace Resilience.Tests.CircuitBreaking;

/// <summary>The pure rules at their edges, number by number: one off anywhere is noticed here.</summary>
public sealed class PureRulesTests
{
    private static BreakerSettings Settings(Action<CircuitBreakerOptions>? configure = null)
    {
        CircuitBreakerOptions options = new() { Probes = 2, SuccessThreshold = 3, ProbeLease = TimeSpan.FromMilliseconds(100), BreakDuration = TimeSpan.FromMilliseconds(50), BreakGrowth = 3, MaxBreakDuration = TimeSpan.FromMilliseconds(1000), BreakJitter = 0.2, BreakDecay = TimeSpan.FromMilliseconds(500), RampDuration = TimeSpan.FromMilliseconds(100), RampFrom = 0.2 };
        configure?.Invoke(options);
        return BreakerSettings.From(options, null, null, 0);
    }

    public static TheoryData<long, int, int, long, string, long, int, int> Entries => new()
    {
        // sent, out, good, now, answer, and the next sent, out, good; the lease is 100
        { 0, 0, 0, 5, "Lost", 0, 0, 0 }, // given up
        { 50, 1, 0, 149, "Send", 149, 2, 0 },
        { 50, 1, 0, 150, "Lost", 50, 1, 0 }, // the lease is over at its very end
        { 50, 1, 0, 151, "Lost", 50, 1, 0 },
        { 50, 0, 1, 500, "Send", 500, 1, 1 }, // no probe is out, so none is lost
        { 50, 2, 0, 60, "Taken", 50, 2, 0 }, // all places
        { 50, 1, 1, 60, "Send", 60, 2, 1 },
        { 50, 1, 2, 60, "Taken", 50, 1, 2 }, // no more than could still be needed
        { 50, 0, 2, 60, "Send", 60, 1, 2 },
        { 50, 0, 3, 60, "Taken", 50, 0, 3 },
    };

    [Theory]
    [MemberData(nameof(Entries))]
    public void Admission_to_a_half_open_circuit(long sent, int probesOut, int good, long now, string answer, long nextSent, int nextOut, int nextGood)
    {
        (ProbeAdmission entry, ProbeWord next) = BreakerRules.Enter(new(sent, probesOut, good), now, Settings());
        (entry.ToString(), next.SentMs, next.Out, next.Good).Should().Be((answer, nextSent, nextOut, nextGood));
    }

    [Fact]
    public void What_comes_back_frees_its_place_and_counts_up_to_the_threshold()
    {
        BreakerSettings settings = Settings();
        BreakerRules.FirstProbe(7).Should().Be(new ProbeWord(7, 1, 0));
        BreakerRules.Succeed(new(100, 2, 0), settings).Should().Be((false, new ProbeWord(100, 1, 1)));
        BreakerRules.Succeed(new(100, 2, 1), settings).Should().Be((false, new ProbeWord(100, 1, 2)));
        BreakerRules.Succeed(new(100, 1, 2), settings).Should().Be((true, new ProbeWord(100, 0, 3)));
        BreakerRules.Succeed(new(100, 0, 0), settings).Should().Be((false, new ProbeWord(100, 0, 1)), "a place that is free already stays free");
        BreakerRules.Succeed(new(100, 1, ProbeWord.Max), settings).Should().Be((true, new ProbeWord(100, 0, ProbeWord.Max)), "the count does not overflow");
        BreakerRules.Release(new(100, 2, 1)).Should().Be(new ProbeWord(100, 1, 1));
        BreakerRules.Release(new(100, 0, 1)).Should().Be(new ProbeWord(100, 0, 1));
    }

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(-1, 0, 0)]
    [InlineData(1, 499, 2)]
    [InlineData(1, 500, 1)]
    [InlineData(2, 1000, 1)]
    [InlineData(1, 5000, 0)]
    [InlineData(3, 0, 3)] // 50 ms times 3 to the third is more than a second
    public void The_growth_goes_up_a_step_at_a_time_and_down_with_health(int level, long healthyMs, int next) =>
        BreakerRules.NextLevel(level, healthyMs, Settings()).Should().Be(next);

    [Theory]
    [InlineData(0, 0.0, 50)]
    [InlineData(0, 0.5, 45)]
    [InlineData(0, 1.0, 40)]
    [InlineData(1, 0.0, 150)]
    [InlineData(1, 0.333, 141)] // 140.01, rounded up
    [InlineData(2, 0.0, 450)]
    [InlineData(3, 0.0, 1000)] // the cap
    [InlineData(3, 0.5, 900)] // chance takes away from the cap, and adds nothing to it
    [InlineData(int.MaxValue, 0.0, 1000)]
    public void The_break_grows_to_its_cap_and_chance_only_shortens_it(int level, double random, long breakMs) =>
        BreakerRules.BreakMs(level, Settings(), random).Should().Be(breakMs);

    [Fact]
    public void A_break_lasts_a_millisecond_at_least() => BreakerRules.BreakMs(0, Settings(o => o.BreakJitter = 1), 1.0).Should().Be(1);

    [Theory]
    [InlineData(10, 5, 10, 0.5, true)]
    [InlineData(10, 4, 10, 0.5, false)]
    [InlineData(10, 6, 10, 0.5, true)]
    [InlineData(9, 9, 10, 0.5, false)]
    [InlineData(11, 5, 10, 0.5, false)]
    [InlineData(10, 1, 10, 0.1, true)]
    [InlineData(10, 0, 10, 0.0, false)]
    public void Too_many_are_bad_from_the_ratio_on_given_enough_calls(int calls, int bad, int minimum, double ratio, bool isTooMany) =>
        BreakerRules.IsTooMany(calls, bad, minimum, ratio).Should().Be(isTooMany);

    [Theory]
    [InlineData(900, 0.2)] // before it began, by a clock that was read earlier
    [InlineData(1000, 0.2)]
    [InlineData(1025, 0.4)]
    [InlineData(1050, 0.6)]
    [InlineData(1099, 0.992)]
    [InlineData(1100, 1.0)]
    [InlineData(2000, 1.0)]
    public void The_ramp_rises_in_a_straight_line(long now, double share) =>
        BreakerRules.RampShare(1000, 1100, now, Settings()).Should().BeApproximately(share, 1e-9);

    [Fact]
    public void A_ramp_without_length_is_over_at_once() => BreakerRules.RampShare(1000, 1000, 1000, Settings()).Should().Be(1);

    [Fact]
    public void The_share_of_a_ramp_is_spread_evenly()
    {
        string First(double share) => string.Concat(Enumerable.Range(0, 16).Select(i => BreakerRules.IsInShare(i, share) ? 'x' : '.'));
        First(0).Should().Be("................");
        First(1).Should().Be("xxxxxxxxxxxxxxxx");
        First(0.5).Should().Be("x.x.xx.x..x.xx.x");
        First(0.2).Should().Be("x....x....x..x..");
        Enumerable.Range(0, 10_000).Count(i => BreakerRules.IsInShare(i, 0.2)).Should().BeInRange(1998, 2002);
        (BreakerRules.Minimum(20, 1), BreakerRules.Minimum(20, 0.21), BreakerRules.Minimum(20, 0.2), BreakerRules.Minimum(20, 0)).Should().Be((20, 5, 4, 1));
    }

    [Theory]
    [InlineData(CircuitState.Open, 99, CircuitState.Open)]
    [InlineData(CircuitState.Open, 100, CircuitState.HalfOpen)]
    [InlineData(CircuitState.Closed, 100, CircuitState.Closed)]
    [InlineData(CircuitState.Isolated, 100, CircuitState.Isolated)]
    public void An_open_circuit_that_is_due_is_seen_as_half_open(CircuitState state, long now, CircuitState seen) =>
        BreakerRules.Seen(state, 100, now).Should().Be(seen);

    [Fact]
    public void A_run_counts_ends_and_is_final_at_its_limit()
    {
        FailureRun run = default;
        run.TryEnd(3).Should().BeTrue("there is no run");
        run.Extend(3, 3, Clock.Never, 0).Should().Be(1);
        run.Extend(3, 3, Clock.Never, 0).Should().Be(2);
        run.TryEnd(3).Should().BeTrue();
        run.Length.Should().Be(0);
        for (int i = 1; i <= 3; i++) run.Extend(3, 3, Clock.Never, 0).Should().Be(i);
        run.Extend(3, 3, Clock.Never, 0).Should().Be(-1);
        run.TryEnd(3).Should().BeFalse();
        run.Length.Should().Be(3);
    }

    [Theory]
    [InlineData(100, 3)]
    [InlineData(101, 0)]
    public void A_run_within_a_span_is_one_whose_last_failures_lie_within_it(long last, int answer)
    {
        FailureRun run = default;
        run.Extend(3, int.MaxValue, 100, 7000).Should().Be(0);
        run.Extend(3, int.MaxValue, 100, 7060).Should().Be(0);
        run.Extend(3, int.MaxValue, 100, 7000 + last).Should().Be(answer);
        run.Length.Should().Be(3);
        run.Extend(3, int.MaxValue, 100, 7160).Should().Be(4, "the last three are at 60 and later");
        run.TryEnd(int.MaxValue).Should().BeTrue();
        run.Extend(3, int.MaxValue, 100, 7161).Should().Be(0);
        run.Extend(3, int.MaxValue, 100, 7162).Should().Be(0, "failures of the run before do not count");
        run.Extend(3, int.MaxValue, 100, 7163).Should().Be(3);
        run.Extend(2, int.MaxValue, 100, 7164).Should().Be(4, "the limit was lowered, and the times are known all the same");
        run.Extend(5, int.MaxValue, 100, 7165).Should().Be(5, "it was raised beyond the ring, and they still are");
    }

    [Fact]
    public void Times_that_are_not_there_yet_are_not_taken_for_the_beginning_of_time()
    {
        FailureRun run = default;
        run.Extend(3, int.MaxValue, 7000, 100).Should().Be(0, "two more are missing, though time itself is younger than the span");
        run.Extend(3, int.MaxValue, 7000, 100).Should().Be(0);
        run.Extend(3, int.MaxValue, 7000, 100).Should().Be(3);
    }

    [Theory]
    [InlineData(int.MaxValue)] // the next success turns the sign of the word
    [InlineData(-1)] // and the next one brings the number back to zero
    public void The_number_of_a_run_may_use_all_its_bits(int number)
    {
        object boxed = default(FailureRun);
        typeof(FailureRun)
            .GetField("_word", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!.SetValue(boxed, (long)number << 32);
        FailureRun run = (FailureRun)boxed;
        for (int i = 0; i < 3; i++)
        {
            run.Extend(2, int.MaxValue, 100, 7000 + i).Should().Be(0);
            run.Extend(2, int.MaxValue, 100, 7001 + i).Should().Be(2);
            run.Length.Should().Be(2);
            run.TryEnd(int.MaxValue).Should().BeTrue();
            run.Length.Should().Be(0);
        }
    }

    [Fact]
    public void A_run_of_one_is_within_any_span()
    {
        FailureRun run = default;
        run.Extend(1, int.MaxValue, 1, 5).Should().Be(1);
        run.Extend(1, int.MaxValue, 1, 5000).Should().Be(2);
    }

    [Fact]
    public void A_window_over_calls_that_is_filled_spreads_the_bad_ones_and_goes_on()
    {
        FailureWindow calls = FailureWindow.OverCalls(10, 5);
        calls.Fill(64, 4, 2);
        calls.Record(64, false);
        calls.Sum(64).Should().Be((5, 2));
        calls.SumOf(64, 64).Should().Be((2, 1));
        calls.SumOf(65, 65).Should().Be((2, 1));
    }

    [Fact]
    public void A_window_over_calls_drops_what_comes_from_an_earlier_epoch_and_its_slots_wrap()
    {
        FailureWindow window = FailureWindow.OverCalls(3, 3);
        window.Record(64, false);
        window.Record(60, true); // the same bucket, in an epoch that is over
        window.Sum(64).Should().Be((1, 0));
        FailureWindow wrapping = FailureWindow.OverCalls(3, 3);
        for (int i = 0; i < 5; i++) wrapping.Record(uint.MaxValue - 1, i == 3);
        wrapping.Sum(uint.MaxValue - 1).Should().Be((3, 1));
    }

    [Fact]
    public void A_window_that_grows_keeps_what_was_counted_and_stops_at_its_processors()
    {
        FailureWindow window = FailureWindow.OverTime(4);
        int max = Math.Min(16, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount));
        int counted = 0;
        for (int stripes = 1; ; stripes *= 2)
        {
            window.Stripes.Should().Be(stripes);
            for (uint slot = 7; slot <= 11; slot++) window.Record(slot, slot == 9); // on whatever processor this runs
            counted += 5;
            window.Stripes.Should().Be(stripes, "there was no contention");
            window.Sum(11).Should().Be((counted, counted / 5));
            window.Grow();
            window.Sum(11).Should().Be((counted, counted / 5), "what was counted is kept");
            if (window.Stripes == stripes) break;
        }

        window.Stripes.Should().Be(max);
    }

    [Fact]
    public void A_bucket_is_halved_with_the_bad_rounded_up_when_it_is_full()
    {
        long Bucket(uint slot, long bad, long calls) => ((long)slot << FailureWindow.StampShift) | (bad << FailureWindow.BadShift) | calls;
        FailureWindow.Count(Bucket(3, 7, 65_534), 3, false).Should().Be(Bucket(3, 7, 65_535));
        FailureWindow.Count(Bucket(3, 7, 65_535), 3, false).Should().Be(Bucket(3, 4, 32_768));
        FailureWindow.Count(Bucket(3, 8, 65_535), 3, true).Should().Be(Bucket(3, 5, 32_768));
        FailureWindow.Count(Bucket(3, 8, 20), 4, true).Should().Be(Bucket(4, 1, 1));
    }

    [Fact]
    public void A_call_that_ends_without_having_begun_makes_no_other_look_overdue()
    {
        CallsInFlight calls = new(800);
        calls.End(0);
        calls.Begin(0);
        (calls.Overdue(0), calls.Overdue(5000)).Should().Be((0, 0), "one more has ended than began");
        calls.Begin(5000);
        calls.Overdue(9000).Should().Be(1);
    }

    [Fact]
    public void Calls_in_flight_are_overdue_from_the_threshold_on_and_looked_for_once_in_a_slot()
    {
        CallsInFlight calls = new(800); // slots of 100 ms
        calls.Begin(0);
        calls.Begin(99);
        (calls.Overdue(0), calls.Overdue(799), calls.Overdue(800), calls.Overdue(898)).Should().Be((0, 0, 0, 0));
        calls.Overdue(899).Should().Be(2, "the latest of the slot is as old as the threshold");
        calls.Begin(1600); // the slot of the first two is needed again: they move
        calls.Overdue(1600).Should().Be(2);
        calls.Begin(0); // by a clock reading that is two thresholds old
        calls.Overdue(1600).Should().Be(3);
        calls.End(0);
        calls.End(99);
        calls.End(0);
        calls.Overdue(1600).Should().Be(0);
        calls.Overdue(2500).Should().Be(1);
        calls.End(1600);
        calls.Overdue(9999).Should().Be(0);

        (calls.IsTimeToLook(0), calls.IsTimeToLook(99), calls.IsTimeToLook(100), calls.IsTimeToLook(199), calls.IsTimeToLook(205))
            .Should().Be((true, false, true, false, true));
        CallsInFlight tiny = new(4);
        tiny.Begin(3);
        (tiny.Overdue(6), tiny.Overdue(8)).Should().Be((0, 1));
    }

    [Fact]
    public void The_limit_word_is_laid_out_as_drawn_and_its_steps_touch_nothing_else()
    {
        LimitWord word = new(7, 3, true);
        word.Bits.Should().Be((7L << 32) | (3 << 1) | 1);
        (word.Limit, word.Running, word.HasWaiting, word.MayEnter, word.MayAdmitWaiting).Should().Be((7, 3, true, false, true));
        word.Entered.Should().Be(new LimitWord(7, 4, true));
        word.Left.Should().Be(new LimitWord(7, 2, true));
        word.WithWaiting(false).Should().Be(new LimitWord(7, 3, false));
        word.WithWaiting(false).WithWaiting(true).Should().Be(word);
        word.WithLimit(9).Should().Be(new LimitWord(9, 3, true));
        new LimitWord(7, 6, false).MayEnter.Should().BeTrue();
        new LimitWord(7, 7, false).MayEnter.Should().BeFalse();
        new LimitWord(7, 7, true).MayAdmitWaiting.Should().BeFalse();
        new LimitWord(int.MaxValue, 1_000_000, false).Should().Match<LimitWord>(w => w.Limit == int.MaxValue && w.Running == 1_000_000);
    }
}
