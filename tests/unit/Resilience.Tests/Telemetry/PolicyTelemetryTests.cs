using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Telemetry;

/// <summary>What the meters and the current activity record of each policy, name by name.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class PolicyTelemetryTests : IDisposable
{
    private readonly string _name = $"pipeline {Guid.NewGuid()}";
    private readonly List<(string Instrument, double Value, string Tags)> _measured = [];
    private readonly MeterListener _listener = new();
    private readonly ManualTime _time = new();
    private readonly Activity _activity = new Activity("test").Start();

    public PolicyTelemetryTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == ResilienceTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        _activity.Dispose();
    }

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        bool isMine = false;
        List<string> others = [];
        foreach ((string key, object? tag) in tags)
        {
            if (key == ResilienceTelemetry.PipelineTag) isMine = (string?)tag == _name;
            else if (key != ResilienceTelemetry.PolicyTag) others.Add($"{tag}");
        }

        if (isMine)
        {
            lock (_measured) _measured.Add((instrument.Name, value, string.Join(' ', others)));
        }
    }

    private string[] Of(string instrument)
    {
        lock (_measured) return [.. _measured.Where(m => m.Instrument == $"resilience.{instrument}").Select(m => m.Tags)];
    }

    private ResiliencePipelineBuilder Builder() => new() { Name = _name, TimeProvider = _time };

    private static ValueTask<int> Fail(CancellationToken cancellationToken) => throw new IOException("planned");

    private static ValueTask<int> Answer(CancellationToken cancellationToken) => new(1);

    [Fact]
    public async Task A_circuit_tells_each_change_each_rejection_by_its_reason_and_what_came_too_late()
    {
        List<ResilienceEvent> events = [];
        ResiliencePipeline pipeline = Builder().OnEvent(events.Add).AddCircuitBreaker(new CircuitBreakerOptions
        {
            FailureRatio = null,
            ConsecutiveFailures = 1,
            BreakDuration = TimeSpan.FromSeconds(5),
            BreakJitter = 0,
            RampDuration = TimeSpan.FromSeconds(10),
            RampFrom = 0.01,
        }).Build();
        CircuitBreaker breaker = (CircuitBreaker)pipeline.States.Single().State;
        TaskCompletionSource<int> late = new(), probe = new();
        Task<Outcome<int>> hanging = pipeline.TryExecuteAsync(_ => new ValueTask<int>(late.Task)).AsTask();
        await pipeline.TryExecuteAsync(Fail);
        Outcome<int> open = await pipeline.TryExecuteAsync(Answer);
        late.SetResult(1);
        await hanging;
        _time.Advance(TimeSpan.FromSeconds(5));
        Task<Outcome<int>> probing = pipeline.TryExecuteAsync(_ => new ValueTask<int>(probe.Task)).AsTask();
        Outcome<int> taken = await pipeline.TryExecuteAsync(Answer);
        probe.SetResult(1);
        await probing;
        Outcome<int> ramping = default;
        for (int i = 0; i < 10 && ramping.Rejection is null; i++) ramping = await pipeline.TryExecuteAsync(Answer);
        breaker.Isolate();
        Outcome<int> isolated = await pipeline.TryExecuteAsync(Answer);

        Of("circuit_breaker.transitions").Should().Equal("closed open", "open half_open", "half_open closed", "closed isolated");
        Of("circuit_breaker.rejections").Should().Equal("open", "probes_taken", "ramping", "isolated");
        Of("circuit_breaker.stale_results").Should().ContainSingle();
        Outcome<int>[] rejected = [open, taken, ramping, isolated];
        rejected.Select(o => ((CircuitRejection)o.Rejection!).State).Should().Equal(CircuitState.Open, CircuitState.HalfOpen, CircuitState.Closed, CircuitState.Isolated);
        rejected.Select(o => o.Rejection!.Reason).Should().SatisfyRespectively(
            r => r.Should().Contain("has been open since").And.Contain("because a call failed"),
            r => r.Should().Contain("half-open since").And.Contain("its only probe").And.Contain("because a call failed"),
            r => r.Should().Contain("admits a growing share"),
            r => r.Should().Contain("isolated by hand since"));
        rejected.Should().OnlyContain(o => o.Rejection!.Since >= new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        ((CircuitOpenException)taken.Exception!).Should().Match<CircuitOpenException>(e => e.State == CircuitState.HalfOpen && e.PolicyName == "circuit-breaker");
        events.OfType<CircuitRejected>().Select(e => (e.Entry, (Rejection?)e.Rejection)).Should().Equal(
            (CircuitAdmission.RejectedOpen, open.Rejection), (CircuitAdmission.RejectedProbesTaken, taken.Rejection), (CircuitAdmission.RejectedRamping, ramping.Rejection), (CircuitAdmission.RejectedIsolated, isolated.Rejection));
        _activity.Events.Count(e => e.Name == "resilience.rejected").Should().Be(4);
        _activity.Events.Count(e => e.Name == "resilience.circuit_breaker.transition").Should().Be(4);
    }

    [Fact]
    public async Task A_circuit_in_dry_run_reports_the_calls_it_would_have_rejected()
    {
        ResiliencePipeline pipeline = Builder().AddCircuitBreaker(o => (o.FailureRatio, o.ConsecutiveFailures, o.DryRun) = (null, 1, true)).Build();
        await pipeline.TryExecuteAsync(Fail);
        (await pipeline.TryExecuteAsync(Answer)).IsSuccess.Should().BeTrue();
        Of("circuit_breaker.rejections").Should().Equal("dry_run");
    }

    [Fact]
    public async Task A_retry_that_is_stopped_says_why()
    {
        ResiliencePipeline NewPipeline(Action<RetryOptions> configure) => Builder().AddRetry(o =>
        {
            (o.BaseDelay, o.Jitter) = (TimeSpan.Zero, BackoffJitter.None);
            configure(o);
        }).Build();
        await NewPipeline(o => o.MaxRetries = 0).TryExecuteAsync(Fail);
        await NewPipeline(o => o.ShouldRetry = _ => false).TryExecuteAsync(Fail);
        await NewPipeline(o => o.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = 0 }).TryExecuteAsync(Fail);
        await Builder().AddTimeout(TimeSpan.FromSeconds(3)).AddRetry(o => (o.BaseDelay, o.MaxDelay, o.Jitter, o.ShouldRetry) = (
            TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2), BackoffJitter.None, _ =>
            {
                _time.Advance(TimeSpan.FromSeconds(2)); // the attempt has taken that long
                return true;
            }
        )).Build().TryExecuteAsync(Fail);
        ResiliencePipeline outer = NewPipeline(_ => { });
        await outer.TryExecuteAsync(async token => (await NewPipeline(o => o.BudgetOptions = new() { Ratio = 0, MinRetriesPerSecond = 0 }).TryExecuteAsync(Fail, token)).GetValueOrThrow());

        Of("retry.stopped").Select(t => t.Split(' ')[0]).Should().Equal("attempts", "not_allowed", "budget", "deadline", "budget", "marked");
    }

    [Fact]
    public async Task A_limit_says_why_it_rejected_and_how_long_people_waited()
    {
        List<ResilienceEvent> events = [];
        foreach (int queue in new[] { 0, 1 })
        {
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = _name }.OnEvent(events.Add)
                .AddConcurrencyLimit(new ConcurrencyLimitOptions { MaxConcurrent = 1, MaxQueued = queue, MaxWait = TimeSpan.FromMilliseconds(1) }).Build();
            TaskCompletionSource<int> first = new();
            Task<int> running = pipeline.ExecuteAsync(_ => new ValueTask<int>(first.Task)).AsTask();
            Outcome<int> rejected = await pipeline.TryExecuteAsync(Answer);
            rejected.Rejection!.Reason.Should().Contain("the only place is taken").And.Contain(queue == 0 ? "no call may wait" : "none became free within the longest wait");
            ((LimitReachedException)rejected.Exception!).Why.Should().Be(queue == 0 ? LimitReason.QueueFull : LimitReason.WaitedTooLong);
            first.SetResult(1);
            await running;
        }

        Of("concurrency_limit.rejections").Should().Equal("queue_full", "waited_too_long");
        events.OfType<LimitReached>().Select(e => e.Rejection.Why).Should().Equal(LimitReason.QueueFull, LimitReason.WaitedTooLong);
        _activity.Events.Count(e => e.Name == "resilience.rejected").Should().Be(2);
    }

    [Fact]
    public async Task A_fallback_says_what_it_put_in_the_place_of_what()
    {
        List<ResilienceEvent> events = [];
        ResiliencePipeline<int> pipeline = new ResiliencePipelineBuilder<int> { Name = _name, TimeProvider = _time }.OnEvent(events.Add).AddFallback(new FallbackOptions<int> { Value = 7 }).Build();
        (await pipeline.ExecuteAsync(Fail)).Should().Be(7);

        Of("fallbacks").Should().Equal("failure value");
        events.OfType<FallbackUsed>().Should().ContainSingle(e => e.Replaced == Verdict.Failure && e.Source == FallbackSource.Value);
        _activity.Events.Should().ContainSingle(e => e.Name == "resilience.fallback");
    }

    [Fact]
    public async Task A_fallback_names_its_source_without_a_listener_for_events()
    {
        LastGood<int> lastGood = LastGood<int>.Shared(TimeSpan.FromHours(1));
        ResiliencePipeline<int> remembers = new ResiliencePipelineBuilder<int> { Name = _name, TimeProvider = _time }.AddFallback(new FallbackOptions<int> { LastGood = lastGood }).Build();
        ResiliencePipeline<int> asks = new ResiliencePipelineBuilder<int> { Name = _name, TimeProvider = _time }
            .AddFallback(new FallbackOptions<int> { Call = _ => new ValueTask<int>(9), ShouldHandle = _ => true }).Build();
        await remembers.ExecuteAsync(Answer);
        (await remembers.ExecuteAsync(Fail)).Should().Be(1);
        (await asks.ExecuteAsync(Fail)).Should().Be(9);
        Of("fallbacks").Should().Equal("failure last_good", "failure call");
        VerdictNames.Of(Verdict.None).Should().Be("none");
        VerdictNames.Of(Verdict.Rejected).Should().Be("rejected");
    }
}
