using Resilience.Tests.Seams;

namespace Resilience.Tests;

/// <summary>What a breaker asks when it opens, and whom it tells of it.</summary>
public sealed class BreakDelegatesTests
{
    private readonly ManualTime _time = new();
    private readonly List<BreakContext> _asked = [];
    private readonly List<CircuitChanged> _changes = [];

    private CircuitBreaker Breaker(Func<BreakContext, TimeSpan?>? say = null, Action<CircuitBreakerOptions>? more = null)
    {
        CircuitBreakerOptions options = new()
        {
            ConsecutiveFailures = 2,
            FailureRatio = null,
            BreakDuration = TimeSpan.FromSeconds(4),
            BreakJitter = 0,
            BreakGrowth = 1,
            OnChange = _changes.Add,
        };
        if (say is not null)
        {
            options.BreakDurationFor = asked =>
            {
                _asked.Add(asked);
                return say(asked);
            };
        }

        more?.Invoke(options);
        return new(options, _time);
    }

    private static void Fail(CircuitBreaker breaker, TimeSpan? retryAfter = null)
    {
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure, retryAfter);
    }

    private static void Open(CircuitBreaker breaker, TimeSpan? retryAfter = null)
    {
        while (breaker.State == CircuitState.Closed) Fail(breaker, retryAfter);
    }

    private TimeSpan? Break => _changes.Last(c => c.To == CircuitState.Open).BreakDuration;

    [Theory]
    [InlineData(null, 4000)]
    [InlineData(700, 700)]
    [InlineData(3_600_000, 3_600_000)] // MaxBreakDuration does not bind it
    [InlineData(0, 1)]
    [InlineData(-5, 1)]
    [InlineData(200_000_000, 86_400_000)]
    public void The_break_lasts_as_long_as_the_delegate_says_within_its_bounds(int? saidMs, int lastsMs)
    {
        CircuitBreaker breaker = Breaker(_ => saidMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null);
        Open(breaker);
        Break.Should().Be(TimeSpan.FromMilliseconds(lastsMs));
        _asked.Should().ContainSingle();
        _time.Advance(TimeSpan.FromMilliseconds(lastsMs - 1));
        breaker.State.Should().Be(CircuitState.Open);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        breaker.State.Should().Be(CircuitState.HalfOpen);
    }

    [Fact]
    public void An_error_in_it_is_counted_and_means_the_computed_span()
    {
        using CallbackErrors errors = new();
        Open(Breaker(_ => throw new FormatException()));
        (Break, errors.Count).Should().Be((TimeSpan.FromSeconds(4), 1));
        errors.Seen.Should().Equal("circuit breaker BreakDurationFor");
    }

    [Fact]
    public void It_is_asked_only_when_a_circuit_opens_and_hears_how_many_breaks_followed_each_other()
    {
        CircuitBreaker breaker = Breaker(_ => null);
        Open(breaker);
        for (int i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(4));
            Fail(breaker); // the probe
        }

        _asked.Select(a => (a.Cause.Rule, a.BreaksInRow, a.Computed.TotalSeconds))
            .Should().Equal((TripRule.ConsecutiveFailures, 1, 4), (TripRule.ProbeFailed, 2, 4), (TripRule.ProbeFailed, 3, 4), (TripRule.ProbeFailed, 4, 4));

        _time.Advance(TimeSpan.FromSeconds(4));
        breaker.TryEnter(out CircuitPermit good);
        breaker.Exit(good, Verdict.Success);
        _time.Advance(TimeSpan.FromMinutes(2)); // two spans of health
        Open(breaker);
        _asked[^1].BreaksInRow.Should().Be(3);
        breaker.Close();
        Open(breaker);
        _asked[^1].BreaksInRow.Should().Be(1, "closing by hand forgets");
        breaker.Isolate();
        _asked.Should().HaveCount(6, "an isolation is no break");
    }

    [Theory]
    [InlineData(false, 4)]
    [InlineData(true, 20)]
    public void It_hears_when_the_failure_asked_to_be_called_again(bool follows, int computed)
    {
        CircuitBreaker breaker = Breaker(a => a.RetryAfter + TimeSpan.FromSeconds(1), o => o.BreakFollowsRetryAfter = follows);
        Open(breaker, TimeSpan.FromSeconds(20));
        _asked[0].Should().Match<BreakContext>(a => a.RetryAfter == TimeSpan.FromSeconds(20) && a.Computed == TimeSpan.FromSeconds(computed));
        Break.Should().Be(TimeSpan.FromSeconds(21));
        breaker.Close();
        Open(breaker);
        _asked[1].RetryAfter.Should().BeNull();
    }

    [Fact]
    public async Task It_and_the_listeners_hear_what_the_last_failure_was()
    {
        CircuitBreaker breaker = Breaker(_ => null);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .Classify(r => r.OnResult<int>(n => n == 503 ? Verdict.Failure : null).NameResult<int>(n => $"{n}")).AddCircuitBreaker(breaker).Build();
        InvalidDataException thrown = new();
        await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(503));
        await pipeline.TryExecuteAsync(ValueTask<int> (_) => throw thrown);
        _time.Advance(TimeSpan.FromSeconds(4));
        await pipeline.TryExecuteAsync(_ => ValueTask.FromResult(503));

        CircuitChanged[] opened = [.. _changes.Where(c => c.To == CircuitState.Open)];
        opened.Select(c => (c.LastException, c.LastResult)).Should().Equal((thrown, null), (null, "503"));
        _asked.Select(a => (a.LastException, a.LastResult)).Should().Equal((thrown, null), (null, "503"));
        _changes.Where(c => c.To != CircuitState.Open).Should().OnlyContain(c => c.LastException == null && c.LastResult == null);
    }

    [Fact]
    public async Task A_breaker_that_no_one_listens_to_keeps_no_failure()
    {
        CircuitBreaker breaker = Breaker(more: o => o.OnChange = null);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddCircuitBreaker(breaker).Build();
        await pipeline.TryExecuteAsync(ValueTask<int> (_) => throw new InvalidDataException());
        breaker.CurrentEpoch.LastFailure.Should().BeNull();
    }

    [Fact]
    public async Task The_listener_that_is_awaited_hears_of_each_change_in_order_one_at_a_time_and_no_call_waits_for_it()
    {
        const int Rounds = 50;
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously), done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        List<long> heard = [];
        int inside = 0, most = 0, caller = Environment.CurrentManagedThreadId;
        bool isCalling = true, wasOnCaller = false;
        CircuitBreaker breaker = Breaker(more: o => o.OnChangeAsync = async change =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            wasOnCaller |= Volatile.Read(ref isCalling) && Environment.CurrentManagedThreadId == caller;
            await release.Task;
            heard.Add(change.Epoch);
            Interlocked.Decrement(ref inside);
            if (heard.Count == Rounds) done.SetResult();
            if (heard.Count % 7 == 0) throw new FormatException(); // the next hears all the same
        });
        for (int i = 0; i < Rounds / 2; i++)
        {
            breaker.Isolate();
            breaker.Close();
        }

        Volatile.Write(ref isCalling, false);
        (_changes.Count, heard.Count).Should().Be((Rounds, 0), "no call waits for the listener that is awaited");
        release.SetResult();
        await done.Task.WaitAsync(TimeSpan.FromSeconds(60));
        heard.Should().Equal(_changes.Select(c => c.Epoch));
        (most, wasOnCaller).Should().Be((1, false));
    }
}
