namespace Resilience.Tests.AdaptiveLimiting;

/// <summary>The limit used alone, without a queue.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class AdaptiveConcurrencyLimitTests
{
    private readonly ManualTime _time = new();

    private AdaptiveConcurrencyLimit Make(Action<AdaptiveConcurrencyLimitOptions>? configure = null)
    {
        AdaptiveConcurrencyLimitOptions options = new() { Name = "search", InitialLimit = 4 };
        configure?.Invoke(options);
        return new(options, _time, Randomness.Seeded(1));
    }

    private static LimitPermit[] Fill(AdaptiveConcurrencyLimit limit, Criticality criticality = Criticality.CriticalPlus)
    {
        List<LimitPermit> permits = [];
        while (limit.TryEnter(criticality) is { } permit) permits.Add(permit);
        return [.. permits];
    }

    /// <summary>One call after the other, each of this latency, while another call holds a place from the beginning.</summary>
    private void Calls(AdaptiveConcurrencyLimit limit, int count, double ms, Verdict verdict = Verdict.Success, bool isOverloaded = false)
    {
        for (int i = 0; i < count; i++)
        {
            LimitPermit permit = limit.TryEnter(Criticality.CriticalPlus)!.Value;
            _time.Advance(TimeSpan.FromMilliseconds(ms));
            limit.Leave(permit, verdict, isOverloaded);
        }
    }

    [Fact]
    public void The_word_is_laid_out_as_drawn()
    {
        foreach (int limit in new[] { 1, 100_000 })
        {
            foreach ((int running, int peak) in new[] { (0, 0), (0, 9), (1, 1), (99_999, 99_999), (5, 100_000) })
            {
                foreach (bool isWaiting in new[] { true, false })
                {
                    AdaptiveLimitWord word = new(limit, running, peak, isWaiting);
                    (word.Limit, word.Running, word.Peak, word.HasWaiting).Should().Be((limit, running, peak, isWaiting));
                    AdaptiveLimitWord entered = word.Entered;
                    (entered.Limit, entered.Running, entered.Peak, entered.HasWaiting)
                        .Should().Be((limit, running + 1, Math.Max(peak, running + 1), isWaiting));
                    entered.Left.Should().Be(word with { Bits = new AdaptiveLimitWord(limit, running, entered.Peak, isWaiting).Bits });
                    word.WithWaiting(!isWaiting).Should().Be(new AdaptiveLimitWord(limit, running, peak, !isWaiting));
                    word.Begun(7).Should().Be(new AdaptiveLimitWord(7, running, running, isWaiting));
                    (word.MayEnter(limit), word.MayAdmitWaiting).Should().Be((!isWaiting && running < limit, running < limit));
                }
            }
        }
    }

    [Theory]
    [InlineData(Criticality.CriticalPlus, 10)]
    [InlineData(Criticality.Critical, 9)]
    [InlineData(Criticality.SheddablePlus, 8)]
    [InlineData(Criticality.Sheddable, 7)]
    public void Without_a_queue_each_class_has_its_share(Criticality criticality, int expected)
    {
        AdaptiveConcurrencyLimit limit = Make(o => o.InitialLimit = 10);
        Fill(limit, criticality).Should().HaveCount(expected);
        Fill(limit).Should().HaveCount(10 - expected);
        (limit.Running, limit.Limit, limit.Waiting).Should().Be((10, 10, 0));
    }

    [Fact]
    public async Task Rejections_say_why_and_are_one_object_for_each_window()
    {
        AdaptiveConcurrencyLimit limit = Make();
        Fill(limit);
        LimitAdmission rejected = await limit.EnterAsync(Criticality.Sheddable);
        rejected.IsAdmitted.Should().BeFalse();
        rejected.Rejection!.Reason.Should().Be("search: all places for calls of criticality 'sheddable' are taken at this moment (limit 4) "
            + "and this call does not wait; a place becomes free when a running call ends.");
        rejected.Rejection.ToException().Should().BeOfType<AdaptiveLimitReachedException>().Which.Why.Should().Be(AdaptiveLimitReason.NoPlace);
        (await limit.EnterAsync(Criticality.Sheddable)).Rejection.Should().BeSameAs(rejected.Rejection);
        (await limit.EnterAsync(Criticality.Critical)).Rejection.Should().NotBeSameAs(rejected.Rejection);
        limit.GetSnapshot().IsRejecting.Should().BeTrue();
    }

    [Fact]
    public void A_place_is_given_back_once_and_to_the_limit_that_gave_it()
    {
        AdaptiveConcurrencyLimit limit = Make(), other = Make();
        LimitPermit permit = limit.TryEnter()!.Value;
        limit.Invoking(l => l.Leave(default, Verdict.Success)).Should().Throw<ArgumentException>();
        other.TryEnter();
        other.Invoking(l => l.Leave(permit, Verdict.Success)).Should().Throw<ArgumentException>().WithMessage("search: the permit is not one of this limit.*");
        limit.Leave(permit, Verdict.Success);
        limit.Invoking(l => l.Leave(permit, Verdict.Success)).Should().Throw<InvalidOperationException>().WithMessage("search: a place was given back twice.");
        limit.Invoking(l => l.TryEnter((Criticality)4)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_limit_that_is_reached_grows_and_signs_of_overload_shrink_it()
    {
        AdaptiveConcurrencyLimit limit = Make();
        LimitPermit[] held = Fill(limit);
        limit.Leave(held[0], Verdict.Ignored);
        Calls(limit, 9, 100);
        limit.Limit.Should().Be(4, "a window has ten calls at least");
        Calls(limit, 1, 100);
        limit.Limit.Should().Be(8);
        Calls(limit, 10, 100, Verdict.Failure, isOverloaded: true);
        limit.Limit.Should().Be(7, "7.2, rounded down");
        Calls(limit, 50, 100, Verdict.Failure);
        limit.Limit.Should().Be(7, "other failures say nothing, nor do they end a window");
    }

    [Fact]
    public void Slow_calls_are_a_sign_of_overload()
    {
        AdaptiveConcurrencyLimit limit = Make(o => (o.LatencyTarget, o.InitialLimit) = (TimeSpan.FromMilliseconds(100), 100));
        Calls(limit, 10, 101);
        limit.Limit.Should().Be(90);
        Calls(limit, 10, 100);
        limit.Limit.Should().Be(90);
    }

    [Theory]
    [InlineData(Verdict.Ignored)]
    [InlineData(Verdict.Rejected)]
    public void What_was_ignored_or_rejected_counts_nothing(Verdict verdict)
    {
        AdaptiveConcurrencyLimit limit = Make();
        Calls(limit, 100, 100, verdict, isOverloaded: true);
        (limit.Limit, limit.Running, limit.GetSnapshot().Latency).Should().Be((4, 0, null));
    }

    [Fact]
    public void A_latency_that_the_caller_has_measured_is_the_sample()
    {
        AdaptiveConcurrencyLimit limit = Make(o => o.InitialLimit = 10);
        for (int i = 0; i < 10; i++)
        {
            LimitPermit permit = limit.TryEnter()!.Value;
            _time.Advance(TimeSpan.FromSeconds(1));
            limit.ElapsedSince(permit).Should().Be(TimeSpan.FromSeconds(1));
            limit.Leave(permit, Verdict.Success, false, TimeSpan.FromMilliseconds(50));
        }

        limit.GetSnapshot().Latency!.Value.TotalMilliseconds.Should().BeInRange(48, 52);
        limit.Invoking(l => l.Leave(l.TryEnter()!.Value, Verdict.Success, false, TimeSpan.FromTicks(-1))).Should().Throw<ArgumentOutOfRangeException>();
    }

    /// <summary>Found elsewhere: samples begun before a probe raise the baseline with each probe (Envoy #11579).</summary>
    [Fact]
    public void A_call_from_before_the_probe_does_not_count_in_it()
    {
        AdaptiveConcurrencyLimit limit = Make(o =>
        {
            (o.Algorithm, o.InitialLimit, o.MaxLimit, o.ProbeInterval) = (LimitAlgorithm.Gradient, 20, 20, TimeSpan.FromSeconds(5));
        });
        LimitPermit[] held = Fill(limit);
        limit.Leave(held[0], Verdict.Ignored);
        for (int i = 0; i < 100 && !limit.GetSnapshot().IsProbing; i++)
        {
            LimitPermit permit = limit.TryEnter(Criticality.CriticalPlus)!.Value;
            limit.TryEnter(Criticality.CriticalPlus).Should().BeNull();
            _time.Advance(TimeSpan.FromMilliseconds(100));
            limit.Leave(permit, Verdict.Success);
        }

        AdaptiveLimitSnapshot probing = limit.GetSnapshot();
        (probing.IsProbing, probing.Limit, probing.SettledLimit, probing.Running).Should().Be((true, 10, 20, 19));
        double baseline = probing.Baseline!.Value.TotalMilliseconds;
        baseline.Should().BeInRange(96, 104);
        _time.Advance(TimeSpan.FromSeconds(4));
        foreach (LimitPermit permit in held[1..]) limit.Leave(permit, Verdict.Success);
        limit.GetSnapshot().Should().Match<AdaptiveLimitSnapshot>(s => s.IsProbing && s.Baseline == probing.Baseline);

        LimitPermit[] begun = Fill(limit);
        begun.Should().HaveCount(10);
        _time.Advance(TimeSpan.FromMilliseconds(30));
        foreach (LimitPermit permit in begun) limit.Leave(permit, Verdict.Success);
        AdaptiveLimitSnapshot measured = limit.GetSnapshot();
        (measured.IsProbing, measured.Limit, measured.SettledLimit).Should().Be((false, 20, 20));
        measured.Baseline!.Value.TotalMilliseconds.Should().BeInRange(29, 31);
        begun[0].Epoch.Should().Be(held[0].Epoch + 1);
        limit.TryEnter()!.Value.Epoch.Should().Be(held[0].Epoch + 2);
    }

    [Fact]
    public void A_probe_without_an_answer_ends_by_itself()
    {
        AdaptiveConcurrencyLimit limit = Make(o =>
        {
            (o.Algorithm, o.InitialLimit, o.MaxLimit, o.ProbeInterval) = (LimitAlgorithm.Gradient, 20, 20, TimeSpan.FromSeconds(5));
        });
        LimitPermit[] held = Fill(limit);
        limit.Leave(held[0], Verdict.Ignored);
        for (int i = 0; i < 100 && !limit.GetSnapshot().IsProbing; i++)
        {
            LimitPermit permit = limit.TryEnter(Criticality.CriticalPlus)!.Value;
            limit.TryEnter(Criticality.CriticalPlus);
            _time.Advance(TimeSpan.FromMilliseconds(100));
            limit.Leave(permit, Verdict.Success);
        }

        TimeSpan? baseline = limit.GetSnapshot().Baseline;
        _time.Advance(TimeSpan.FromSeconds(10));
        limit.Leave(held[1], Verdict.Ignored);
        limit.GetSnapshot().Should().Match<AdaptiveLimitSnapshot>(s => !s.IsProbing && s.Baseline == baseline && s.Limit == 20);
    }

    [Fact]
    public void An_update_keeps_what_was_learnt_while_the_algorithm_stays()
    {
        AdaptiveConcurrencyLimit limit = Make(o => (o.Algorithm, o.InitialLimit) = (LimitAlgorithm.Gradient, 20));
        LimitPermit[] held = Fill(limit);
        limit.TryEnter().Should().BeNull();
        limit.Leave(held[0], Verdict.Ignored);
        for (int i = 0; i < 20; i++)
        {
            LimitPermit permit = limit.TryEnter(Criticality.CriticalPlus)!.Value;
            _time.Advance(TimeSpan.FromMilliseconds(100));
            limit.Leave(permit, Verdict.Success);
        }

        AdaptiveLimitSnapshot learnt = limit.GetSnapshot();
        learnt.Limit.Should().Be(40);
        limit.Update(new() { Name = "search", Algorithm = LimitAlgorithm.Gradient, MaxLimit = 30 });
        limit.GetSnapshot().Should().Match<AdaptiveLimitSnapshot>(s => s.Limit == 30 && s.Baseline == learnt.Baseline && s.Running == learnt.Running);
        limit.Update(new() { Name = "search", InitialLimit = 25 });
        limit.GetSnapshot().Should().Match<AdaptiveLimitSnapshot>(s => s.Limit == 25 && s.Baseline == null && s.Running == learnt.Running);
        limit.Invoking(l => l.Update(new() { Tolerance = 9 })).Should().Throw<ResilienceOptionsException>();
    }

    [Fact]
    public void Its_status_is_a_line_for_people()
    {
        AdaptiveConcurrencyLimit limit = Make(o => (o.Algorithm, o.InitialLimit) = (LimitAlgorithm.Gradient, 10));
        PolicyStatus status = ((IPolicyStatus)limit).GetStatus();
        (status.Condition, status.Text).Should().Be((PolicyCondition.Ok, "0 of 10 running"));
        status.Readings[0].Should().Match<PolicyReading>(r => r.Name == "running" && r.Max == 10);
        Calls(limit, 20, 64);
        Fill(limit);
        ((IPolicyStatus)limit).GetStatus().Should().Match<PolicyStatus>(s =>
            s.Condition == PolicyCondition.Warning && s.Text == "10 of 10 running at a latency of 64 ms against 64 ms unloaded · rejects calls");
    }

    [Fact]
    public void A_call_allocates_nothing()
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 1, MaxLimit = 1 }, _time);
        Allocation.Allocated.BytesPerRun(() =>
        {
            LimitPermit permit = limit.TryEnter()!.Value;
            limit.TryEnter();
            _ = limit.EnterAsync();
            limit.Leave(permit, Verdict.Success);
        }).Should().Be(0);
    }
}
