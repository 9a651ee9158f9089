namespace Resilience.Tests.CircuitBreaking;

/// <summary>The parts one by one: the words and their pictures, the rules as tables, the windows, the partitions.</summary>
public sealed class BreakerPartsTests
{
    [Fact]
    public void The_probe_word_is_laid_out_as_drawn()
    {
        (ProbeWord.SentBits + ProbeWord.OutBits + ProbeWord.GoodBits).Should().Be(64);
        foreach (long sent in new[] { 0, 1, (1L << ProbeWord.SentBits) - 1 })
        {
            foreach (int probesOut in new[] { 0, 1, ProbeWord.Max })
            {
                foreach (int good in new[] { 0, 1, ProbeWord.Max })
                {
                    ProbeWord word = new(sent, probesOut, good);
                    (word.SentMs, word.Out, word.Good).Should().Be((sent, probesOut, good));
                }
            }
        }
    }

    [Fact]
    public void The_bucket_word_is_laid_out_as_drawn()
    {
        long word = FailureWindow.Count(0, uint.MaxValue, true);
        ((uint)(word >>> FailureWindow.StampShift), (word >> FailureWindow.BadShift) & FailureWindow.CountMask, word & FailureWindow.CountMask)
            .Should().Be((uint.MaxValue, 1L, 1L));
    }

    [Fact]
    public void A_full_bucket_is_halved_and_keeps_its_ratio()
    {
        FailureWindow window = FailureWindow.OverTime(2);
        for (int i = 0; i < 200_000; i++) window.Record(7, i % 4 == 0);
        (int calls, int bad) = window.Sum(7);
        calls.Should().BeInRange(0x8000, 0xFFFF);
        ((double)bad / calls).Should().BeApproximately(0.25, 0.001);
    }

    [Fact]
    public void A_failure_survives_the_halving()
    {
        FailureWindow window = FailureWindow.OverTime(2);
        window.Record(7, true);
        for (int i = 0; i < 300_000; i++) window.Record(7, false);
        window.Sum(7).Bad.Should().Be(1);
    }

    [Fact]
    public void A_count_that_comes_too_late_for_its_bucket_is_dropped()
    {
        FailureWindow window = FailureWindow.OverTime(2); // a ring of four
        window.Record(9, false);
        window.Record(5, true); // the same bucket, four slots earlier
        window.Sum(9).Should().Be((1, 0));
    }

    [Fact]
    public void Stamps_wrap_without_a_seam()
    {
        FailureWindow window = FailureWindow.OverTime(4);
        for (uint i = 0; i < 8; i++) window.Record(unchecked(uint.MaxValue - 3 + i), true);
        window.Sum(4).Should().Be((4, 4), "slots 0 to 3, and slot 4 holds nothing");
        window.Sum(3).Should().Be((5, 5), "slot 3 and the four before it, across the seam");
    }

    [Fact]
    public void Striped_by_contention_the_sums_stay_exact()
    {
        FailureWindow window = FailureWindow.OverTime(10);
        Together.Run(4, 50, _ => { }, (thread, _) =>
        {
            for (int i = 0; i < 200; i++) window.Record(5, thread == 0);
        }, _ => { });
        window.Sum(5).Should().Be((40_000, 10_000));
    }

    [Theory]
    [InlineData(1, 10)]
    [InlineData(7, 10)]
    [InlineData(10, 10)]
    [InlineData(100, 10)]
    [InlineData(1000, 7)]
    public void A_window_over_calls_holds_at_least_the_last_calls_and_at_most_one_bucket_more(int calls, int buckets)
    {
        FailureWindow window = FailureWindow.OverCalls(calls, buckets);
        int bucket = (calls + Math.Min(calls, buckets) - 1) / Math.Min(calls, buckets);
        int max = (bucket * Math.Min(calls, buckets)) + bucket - 1;
        Queue<bool> last = new();
        Random random = new(calls);
        for (int i = 1; i <= calls * 5; i++)
        {
            bool bad = random.Next(3) == 0;
            window.Record(0, bad);
            last.Enqueue(bad);
            if (last.Count > max) last.Dequeue();
            (int held, int badHeld) = window.Sum(0);
            held.Should().BeInRange(Math.Min(i, calls), Math.Min(i, max));
            badHeld.Should().Be(last.TakeLast(held).Count(b => b));
        }
    }

    [Fact]
    public void Calls_in_flight_are_overdue_exactly_to_within_a_slot()
    {
        CallsInFlight flight = new(800); // slots of 100 ms
        Random random = new(3);
        List<long> started = [];
        long now = 1;
        for (int i = 0; i < 20_000; i++)
        {
            now += random.Next(60);
            if (started.Count > 0 && random.Next(2) == 0)
            {
                int which = random.Next(started.Count);
                flight.End(started[which]);
                started.RemoveAt(which);
            }
            else
            {
                started.Add(now);
                flight.Begin(now);
            }

            flight.Overdue(now).Should().BeInRange(started.Count(s => now - s >= 900), started.Count(s => now - s >= 800));
        }
    }

    [Fact]
    public void Calls_in_flight_balance_when_threads_begin_and_end_them()
    {
        CallsInFlight flight = new(80);
        long now = 0;
        Together.Run(4, 300, _ => { }, (_, _) =>
        {
            for (int i = 0; i < 20; i++)
            {
                long mine = Interlocked.Add(ref now, 7);
                flight.Begin(mine);
                flight.End(mine);
            }
        }, _ => { });
        flight.Overdue(now + 1_000_000).Should().Be(0);
    }

    [Fact]
    public void The_break_never_exceeds_its_cap_nor_falls_to_nothing_for_any_level()
    {
        BreakerSettings settings = BreakerSettings.From(
            new() { BreakDuration = TimeSpan.FromMilliseconds(1), BreakGrowth = 100, MaxBreakDuration = TimeSpan.FromDays(1), BreakJitter = 1 }, null, null, 0);
        foreach (int level in new[] { 0, 1, 5, 10, 154, 155, 1000, int.MaxValue })
        {
            foreach (double random in new[] { 0, 0.5, 0.999999999999 })
                BreakerRules.BreakMs(level, settings, random).Should().BeInRange(1, (long)TimeSpan.FromDays(1).TotalMilliseconds);
        }

        BreakerRules.NextLevel(int.MaxValue, 0, settings)
            .Should().Be(4, "100 to the fourth milliseconds are more than a day: the level saturates where the break reaches its cap");
    }

    [Fact]
    public void Partitions_keep_an_outage_of_one_key_from_the_others_and_their_memory_bounded()
    {
        ManualTime time = new();
        CircuitBreakerPartitions breakers = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, capacity: 100, time);
        Fail(breakers.Get("broken"));
        breakers.Get("healthy").State.Should().Be(CircuitState.Closed);
        for (int i = 0; i < 100_000; i++) breakers.Get($"key {i}").TryEnter(out _);
        breakers.Count.Should().BeLessThanOrEqualTo(100);
        breakers.Get("broken").State.Should().Be(CircuitState.Open, "an open circuit is not forgotten for idle ones");
    }

    [Fact]
    public void When_every_partition_is_open_further_keys_share_one_breaker()
    {
        ManualTime time = new();
        CircuitBreakerPartitions breakers = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, capacity: 10, time);
        for (int i = 0; i < 10; i++) Fail(breakers.Get($"key {i}"));
        breakers.Get("one more").Should().BeSameAs(breakers.Overflow);
        breakers.Count.Should().Be(10);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(20_000)]
    public void When_all_circuits_are_open_a_new_key_looks_at_a_few_of_them(int capacity)
    {
        CircuitBreakerPartitions breakers = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, capacity, new ManualTime());
        for (int i = 0; i < capacity; i++) Fail(breakers.Get($"key {i}"));
        for (int i = 0; i < 1000; i++) breakers.Get($"unknown {i}").Should().BeSameAs(breakers.Overflow);
        breakers.Looks.Should().BeLessThanOrEqualTo(8 * 1000, "it costs the same however many there are");
        breakers.Overflowed.Should().Be(1000);
        breakers.Count.Should().Be(capacity);
    }

    [Fact]
    public void A_circuit_that_has_become_well_is_found_in_turn_and_its_place_is_taken()
    {
        ManualTime time = new();
        CircuitBreakerPartitions breakers = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, 100, time);
        for (int i = 0; i < 100; i++) Fail(breakers.Get($"key {i}"));
        breakers.Get("key 57").Close();
        int overflowed = 0;
        while (ReferenceEquals(breakers.Get("new"), breakers.Overflow)) overflowed++;
        overflowed.Should().BeLessThan(100 / 8 + 1);
        breakers.All().Select(b => b.Key).Should().NotContain("key 57").And.Contain("new").And.HaveCount(100);
        breakers.Get("new").Should().BeSameAs(breakers.Get("new"));
    }

    [Fact]
    public void Threads_that_add_keys_never_fill_more_places_than_there_are_and_lose_none()
    {
        CircuitBreakerPartitions breakers = new(new(), 50, new ManualTime());
        Together.Run(4, 200, _ => { }, (thread, round) =>
        {
            for (int i = 0; i < 20; i++) breakers.Get($"{round % 7} {i} {thread % 2}").TryEnter(out _);
        }, _ => breakers.Count.Should().BeLessThanOrEqualTo(50));
        for (int i = 0; i < 10_000 && breakers.Count < 50; i++) breakers.Get($"more {i}");
        breakers.Count.Should().Be(50, "no place is lost");
    }

    private static void Fail(CircuitBreaker breaker)
    {
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
    }

    [Fact]
    public async Task The_changes_of_shared_and_of_keyed_breakers_reach_the_pipelines_that_use_them()
    {
        List<CircuitChanged> heard = [];
        CircuitBreakerOptions options = new() { FailureRatio = null, ConsecutiveFailures = 1 };
        CircuitBreaker shared = new(options);
        CircuitBreakerPartitions keyed = new(options);
        void Hear(ResilienceEvent happened) => heard.AddRange(happened is CircuitChanged change ? [change] : []);
        ResiliencePipeline first = new ResiliencePipelineBuilder { Name = "first" }.AddCircuitBreaker(shared).OnEvent(Hear).Build();
        ResiliencePipeline second = new ResiliencePipelineBuilder { Name = "second" }.AddCircuitBreaker(shared).OnEvent(Hear).Build();
        ResiliencePipeline third = new ResiliencePipelineBuilder { Name = "third" }.AddCircuitBreaker(keyed, c => c.Operation).OnEvent(Hear).Build();
        await first.TryExecuteAsync<int>(_ => throw new IOException());
        await third.TryExecuteAsync<int, int>(new("a key"), (_, _) => throw new IOException(), 0);
        heard.Select(c => (c.PipelineName, c.To, c.Key)).Should().Equal(
            ("first", CircuitState.Open, null), ("second", CircuitState.Open, null), ("third", CircuitState.Open, "a key"));
        GC.KeepAlive(second);
    }

    [Fact]
    public async Task A_key_selector_that_throws_uses_the_empty_key()
    {
        CircuitBreakerPartitions breakers = new(new());
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breakers, _ => throw new InvalidOperationException()).Build();
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(5))).Should().Be(5);
        breakers.All().Select(b => b.Key).Should().Equal("");
    }
}
