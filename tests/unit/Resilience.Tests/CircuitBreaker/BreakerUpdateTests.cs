namespace Resilience.Tests.CircuitBreaking;

/// <summary>New options take effect on the next decision; what is known survives and keeps its age.</summary>
public sealed class BreakerUpdateTests
{
    private readonly ManualTime _time = new();
    private readonly List<CircuitChanged> _heard = [];

    private static void Count(CircuitBreaker breaker, Verdict verdict, int times = 1)
    {
        for (int i = 0; i < times; i++)
        {
            breaker.TryEnter(out CircuitPermit permit);
            breaker.Exit(permit, verdict);
        }
    }

    [Fact]
    public void Fewer_failures_in_a_row_within_a_span_open_the_circuit()
    {
        static CircuitBreakerOptions Options(int n) =>
            new() { FailureRatio = null, ConsecutiveFailures = n, ConsecutiveFailuresWithin = TimeSpan.FromSeconds(10) };
        CircuitBreaker breaker = new(Options(5), _time);
        Count(breaker, Verdict.Failure);
        Count(breaker, Verdict.Success);
        breaker.Update(Options(3));
        Count(breaker, Verdict.Failure, 3);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Fact]
    public void A_span_that_is_set_during_a_run_knows_when_its_failures_were()
    {
        static CircuitBreakerOptions Options(TimeSpan? within) => new() { FailureRatio = null, ConsecutiveFailures = 3, ConsecutiveFailuresWithin = within };
        CircuitBreaker close = new(Options(null), _time), far = new(Options(null), _time);
        Count(far, Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(9));
        Count(far, Verdict.Failure);
        Count(close, Verdict.Failure, 2);
        close.Update(Options(TimeSpan.FromSeconds(5)));
        far.Update(Options(TimeSpan.FromSeconds(5)));
        _time.Advance(TimeSpan.FromSeconds(4));
        Count(close, Verdict.Failure);
        Count(far, Verdict.Failure);
        (close.State, far.State).Should().Be((CircuitState.Open, CircuitState.Closed));
    }

    [Theory]
    [InlineData(30, 1, 2, true)]
    [InlineData(30, 1, 0, false)] // not yet: none of them has taken a second
    [InlineData(1, 30, 2, false)]
    [InlineData(1, 30, 31, true)]
    public void Calls_that_hang_are_measured_by_the_new_threshold(int threshold, int next, int age, bool opens)
    {
        static CircuitBreakerOptions Options(int seconds) => new() { SlowCallThreshold = TimeSpan.FromSeconds(seconds), MinimumCalls = 20 };
        CircuitBreaker breaker = new(Options(threshold), _time);
        _time.Advance(TimeSpan.FromSeconds(3));
        CircuitPermit[] hung = new CircuitPermit[20];
        for (int i = 0; i < 20; i++) breaker.TryEnter(out hung[i]);
        if (threshold > next) _time.Advance(TimeSpan.FromSeconds(age)); // they are this old when the update comes
        breaker.Update(Options(next));
        if (threshold < next) _time.Advance(TimeSpan.FromSeconds(age));
        breaker.TryEnter(out CircuitPermit last).Should().Be(opens ? CircuitAdmission.RejectedOpen : CircuitAdmission.Admitted);
        if (opens) return;
        breaker.Exit(last, Verdict.Ignored);
        foreach (CircuitPermit permit in hung) breaker.Exit(permit, Verdict.Ignored).Should().Be(CircuitExit.Released);
        _time.Advance(TimeSpan.FromMinutes(5));
        breaker.TakeSnapshot().OverdueCalls.Should().Be(0, "all have come back");
    }

    [Fact]
    public void Calls_in_flight_are_counted_once_however_often_the_threshold_changes()
    {
        static CircuitBreakerOptions Options(int ms) => new() { SlowCallThreshold = TimeSpan.FromMilliseconds(ms), MinimumCalls = 1_000_000 };
        CircuitBreaker breaker = new(Options(1000), _time);
        Random random = new(7);
        List<(CircuitPermit Permit, long StartedMs)> underWay = [];
        long now = 0, threshold = 1000, longest = 1000;
        for (int i = 0; i < 20_000; i++)
        {
            int step = random.Next(40);
            now += step;
            _time.Advance(TimeSpan.FromMilliseconds(step));
            switch (random.Next(20))
            {
                case 0:
                    threshold = random.Next(100, 3000);
                    longest = Math.Max(longest, threshold);
                    breaker.Update(Options((int)threshold));
                    break;
                case < 10 when underWay.Count > 0:
                    int which = random.Next(underWay.Count);
                    breaker.Exit(underWay[which].Permit, Verdict.Ignored);
                    underWay.RemoveAt(which);
                    break;
                default:
                    breaker.TryEnter(out CircuitPermit permit);
                    underWay.Add((permit, now));
                    break;
            }

            // None early. Late by a slot of the ring that it began in, or, when that ring was for shorter calls, when its beginning was forgotten.
            int surely = underWay.Count(c => now - c.StartedMs >= 2 * longest), perhaps = underWay.Count(c => now - c.StartedMs >= threshold);
            breaker.TakeSnapshot().OverdueCalls.Should().BeInRange(surely, perhaps, "step {0}", i);
        }

        foreach ((CircuitPermit permit, _) in underWay) breaker.Exit(permit, Verdict.Ignored);
        _time.Advance(TimeSpan.FromMinutes(5));
        breaker.TakeSnapshot().OverdueCalls.Should().Be(0);
    }

    [Fact]
    public void Failures_grow_old_however_often_the_window_changes()
    {
        CircuitBreakerOptions Options(int seconds) => new() { SamplingDuration = TimeSpan.FromSeconds(seconds), MinimumCalls = 20 };
        CircuitBreaker breaker = new(Options(10), _time);
        Count(breaker, Verdict.Failure, 19);
        for (int i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(9));
            breaker.Update(Options(i % 2 == 0 ? 11 : 10));
        }

        breaker.TakeSnapshot().Failures.Should().Be(0);
        Count(breaker, Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Closed, "nine quiet minutes, then one failure");
    }

    [Fact]
    public void A_rule_that_was_off_does_not_remember_a_run_from_before()
    {
        static CircuitBreakerOptions Options(int? n) => new() { MinimumCalls = 1000, ConsecutiveFailures = n };
        CircuitBreaker breaker = new(Options(3), _time);
        Count(breaker, Verdict.Failure, 2);
        breaker.Update(Options(null));
        Count(breaker, Verdict.Success, 5);
        breaker.Update(Options(3));
        Count(breaker, Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Closed, "one failure in a row");
        Count(breaker, Verdict.Failure, 2);
        breaker.State.Should().Be(CircuitState.Open);
    }

    [Fact]
    public void A_lost_probe_is_given_up_by_the_new_lease()
    {
        static CircuitBreakerOptions Options(TimeSpan lease) => new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0, ProbeLease = lease };
        CircuitBreaker breaker = new(Options(TimeSpan.FromHours(20)), _time);
        Count(breaker, Verdict.Failure);
        _time.Advance(TimeSpan.FromSeconds(5));
        breaker.TryEnter(out _).Should().Be(CircuitAdmission.AdmittedAsProbe);
        _time.Advance(TimeSpan.FromSeconds(5));
        breaker.TryEnter(out _).Should().Be(CircuitAdmission.RejectedProbesTaken);
        breaker.Update(Options(TimeSpan.FromSeconds(4)));
        breaker.TryEnter(out _).Should().Be(CircuitAdmission.AdmittedAsProbe);
    }

    [Fact]
    public void Closing_what_is_closed_forgets_and_is_no_change()
    {
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 2, OnChange = _heard.Add }, _time);
        Count(breaker, Verdict.Failure);
        breaker.TryEnter(out CircuitPermit before);
        breaker.Close();
        _heard.Should().BeEmpty();
        breaker.Exit(before, Verdict.Failure).Should().Be(CircuitExit.Stale);
        Count(breaker, Verdict.Failure);
        breaker.State.Should().Be(CircuitState.Closed, "the first failure is forgotten");
        breaker.Isolate();
        breaker.Close();
        breaker.Close();
        _heard.Select(c => (c.From, c.To, c.Cause.Rule)).Should().Equal(
            (CircuitState.Closed, CircuitState.Isolated, TripRule.ByHand), (CircuitState.Isolated, CircuitState.Closed, TripRule.ByHand));
        _heard.Select(c => c.Epoch).Should().BeInAscendingOrder();
    }

    [Theory]
    [InlineData(false, 20, 5)]
    [InlineData(true, 20, 20)]
    [InlineData(true, 3, 5)] // shorter than ours
    [InlineData(true, 500, 60)] // no longer than the longest break
    [InlineData(true, 0, 5)]
    public void The_break_follows_what_the_failure_that_opened_has_asked_for(bool follows, int asked, int broken)
    {
        CircuitBreaker breaker = new(
            new() { FailureRatio = null, ConsecutiveFailures = 2, BreakJitter = 0, BreakFollowsRetryAfter = follows, OnChange = _heard.Add }, _time);
        breaker.TryEnter(out CircuitPermit first);
        breaker.Exit(first, Verdict.Failure, TimeSpan.FromSeconds(40));
        breaker.TryEnter(out CircuitPermit second);
        breaker.Exit(second, Verdict.Failure, TimeSpan.FromSeconds(asked));
        _heard.Single().BreakDuration.Should().Be(TimeSpan.FromSeconds(broken));
        _time.Advance(TimeSpan.FromSeconds(broken));
        breaker.TryEnter(out CircuitPermit probe).Should().Be(CircuitAdmission.AdmittedAsProbe);
        breaker.Exit(probe, Verdict.Failure, TimeSpan.MaxValue);
        _heard[^1].BreakDuration.Should().Be(TimeSpan.FromSeconds(follows ? 60 : 10), "a probe may ask too");
    }

    [Fact]
    public async Task In_a_pipeline_the_break_follows_what_a_result_asks_for_and_a_throw_of_that_rule_changes_nothing()
    {
        int answers = 0;
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(c => c.OnResult<int>(_ => Verdict.Failure)
                .RetryAfterResult<int>((r, _) => r == 0 ? throw new InvalidOperationException() : TimeSpan.FromSeconds(r)))
            .AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures, o.BreakJitter, o.BreakFollowsRetryAfter) = (null, 1, 0, true)).Build();
        CircuitBreaker breaker = pipeline.Find<CircuitBreaker>()!;
        await pipeline.TryExecuteAsync(_ => new ValueTask<int>(answers));
        breaker.TakeSnapshot().RetryAfter.Should().Be(TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(5));
        answers = 33;
        await pipeline.TryExecuteAsync(_ => new ValueTask<int>(answers));
        breaker.TakeSnapshot().RetryAfter.Should().Be(TimeSpan.FromSeconds(33));
    }

    /// <summary>Options under which every rule is at work, and for each option another value.</summary>
    private CircuitBreakerOptions All() => new()
    {
        MinimumCalls = 4,
        SamplingDuration = TimeSpan.FromSeconds(10),
        ConsecutiveFailures = 4,
        ConsecutiveFailuresWithin = TimeSpan.FromSeconds(20),
        SlowCallThreshold = TimeSpan.FromSeconds(4),
        BreakDuration = TimeSpan.FromSeconds(2),
        MaxBreakDuration = TimeSpan.FromSeconds(20),
        BreakJitter = 0.5,
        Probes = 2,
        SuccessThreshold = 3,
        ProbeLease = TimeSpan.FromSeconds(9),
        RampDuration = TimeSpan.FromSeconds(6),
        OnChange = _heard.Add,
    };

    private static readonly Dictionary<string, object?> Others = new()
    {
        [nameof(CircuitBreakerOptions.FailureRatio)] = 0.9,
        [nameof(CircuitBreakerOptions.MinimumCalls)] = 1000,
        [nameof(CircuitBreakerOptions.SamplingDuration)] = TimeSpan.FromSeconds(3),
        [nameof(CircuitBreakerOptions.SamplingCalls)] = 5,
        [nameof(CircuitBreakerOptions.Buckets)] = 2,
        [nameof(CircuitBreakerOptions.ConsecutiveFailures)] = 2,
        [nameof(CircuitBreakerOptions.ConsecutiveFailuresWithin)] = TimeSpan.FromSeconds(1),
        [nameof(CircuitBreakerOptions.SlowCallThreshold)] = TimeSpan.FromSeconds(1),
        [nameof(CircuitBreakerOptions.SlowCallRatio)] = 0.1,
        [nameof(CircuitBreakerOptions.BreakDuration)] = TimeSpan.FromSeconds(1),
        [nameof(CircuitBreakerOptions.BreakGrowth)] = 5.0,
        [nameof(CircuitBreakerOptions.MaxBreakDuration)] = TimeSpan.FromSeconds(8),
        [nameof(CircuitBreakerOptions.BreakJitter)] = 0.0,
        [nameof(CircuitBreakerOptions.BreakFollowsRetryAfter)] = true,
        [nameof(CircuitBreakerOptions.BreakDecay)] = TimeSpan.FromMilliseconds(50),
        [nameof(CircuitBreakerOptions.Probes)] = 1,
        [nameof(CircuitBreakerOptions.SuccessThreshold)] = 1,
        [nameof(CircuitBreakerOptions.ProbeLease)] = TimeSpan.FromSeconds(2),
        [nameof(CircuitBreakerOptions.RampDuration)] = TimeSpan.FromSeconds(1),
        [nameof(CircuitBreakerOptions.RampFrom)] = 0.9,
        [nameof(CircuitBreakerOptions.DryRun)] = true,
        [nameof(CircuitBreakerOptions.OnChange)] = null, // a delegate that does nothing
        [nameof(CircuitBreakerOptions.OnChangeAsync)] = (Func<CircuitChanged, ValueTask>)(static _ => default),
        [nameof(CircuitBreakerOptions.BreakDurationFor)] = (Func<BreakContext, TimeSpan?>)(static _ => TimeSpan.FromMilliseconds(700)),
        [nameof(CircuitBreakerOptions.ShouldCount)] = (Func<AttemptResult, bool>)(static _ => false),
        [nameof(PolicyOptions.Name)] = "other",
    };

    public static TheoryData<string> OptionNames => [.. typeof(CircuitBreakerOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.Name)];

    private CircuitBreakerOptions AllBut(string option)
    {
        CircuitBreakerOptions options = All();
        typeof(CircuitBreakerOptions).GetProperty(option)!.SetValue(options, Others[option]);
        return options;
    }

    /// <summary>Updated before the first call, a breaker goes on exactly as one that was made with the new options; and the same calls go otherwise
    /// by the old ones, so that an option which an update forgets is noticed.</summary>
    [Theory]
    [MemberData(nameof(OptionNames))]
    public void Every_option_takes_effect_by_an_update(string option)
    {
        string old = Trace(All(), null), made = Trace(AllBut(option), null), updated = Trace(All(), AllBut(option));
        if (option == nameof(PolicyOptions.Name))
        {
            updated.Should().Be(old, "the name stays");
            return;
        }

        if (option == nameof(CircuitBreakerOptions.ShouldCount)) // asked by pipelines
        {
            CircuitBreaker breaker = new(All(), _time);
            breaker.Update(AllBut(option));
            breaker.ShouldCount.Should().BeSameAs(Others[option]);
            return;
        }

        if (option == nameof(CircuitBreakerOptions.OnChangeAsync)) // called beside the calls
        {
            CircuitBreaker breaker = new(All(), _time);
            breaker.Update(AllBut(option));
            breaker.Settings.OnChangeAsync.Should().BeSameAs(Others[option]);
            return;
        }

        (made == old).Should().BeFalse("the calls must show the option, or this test would not notice it");
        (updated == made).Should().BeTrue("the update is as good as the making");
    }

    /// <summary>The object that was given may be changed afterwards; nothing looks at it again.</summary>
    [Theory]
    [MemberData(nameof(OptionNames))]
    public void No_option_is_read_after_the_breaker_was_made(string option)
    {
        CircuitBreakerOptions given = All();
        CircuitBreakerPartitions partitions = new(given, 10, _time, Randomness.Seeded(3));
        CircuitBreaker breaker = new(given, _time, Randomness.Seeded(3));
        typeof(CircuitBreakerOptions).GetProperty(option)!.SetValue(given, Others[option]);
        string expected = Trace(All(), null);
        (Run(partitions.Get("")) == expected).Should().BeTrue("what is made later is made of the options as they were");
        partitions.Name.Should().Be("circuit-breaker");
        _time.Advance(TimeSpan.FromDays(1));
        breaker.TakeSnapshot().MinimumCalls.Should().Be(4);
        Run(breaker).Should().NotBeEmpty();
    }

    private string Trace(CircuitBreakerOptions options, CircuitBreakerOptions? update)
    {
        CircuitBreaker breaker = new(options, _time, Randomness.Seeded(3));
        if (update is not null) breaker.Update(update);
        return Run(breaker);
    }

    /// <summary>A thousand calls and pauses, and everything that can be seen of them.</summary>
    private string Run(CircuitBreaker breaker)
    {
        Random random = new(11);
        List<CircuitPermit> permits = [];
        System.Text.StringBuilder seen = new(breaker.Name);
        _heard.Clear();
        int told = 0;
        for (int i = 0; i < 4000; i++)
        {
            int what = random.Next(10);
            if (what == 0) _time.Advance(TimeSpan.FromMilliseconds(random.Next(3000)));
            if (what == 1) _time.Advance(TimeSpan.FromMilliseconds(random.Next(200)));
            if (what is >= 2 and < 6)
            {
                CircuitAdmission entry = breaker.TryEnter(out CircuitPermit permit);
                seen.Append(entry);
                bool isLost = entry == CircuitAdmission.AdmittedAsProbe && random.Next(3) == 0;
                if (permit.Epoch > 0 && !isLost) permits.Add(permit);
            }
            else if (permits.Count > 0)
            {
                int which = random.Next(permits.Count);
                Verdict verdict = random.Next(100) < (i / 300 % 2 == 0 ? 25 : 60) ? Verdict.Failure : Verdict.Success;
                seen.Append(breaker.Exit(permits[which], verdict, TimeSpan.FromSeconds(random.Next(20))));
                permits.RemoveAt(which);
            }

            seen.Append(breaker.State);
            if (_heard.Count > told) seen.Append(_heard[told++].ToString());
        }

        return seen.ToString();
    }
}
