using System.Diagnostics.Metrics;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Timeouts;

public sealed class TimeoutTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TaskCompletionSource _started = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ResiliencePipelineBuilder Builder() => new() { TimeProvider = _time };

    /// <summary>Runs until its token is cancelled.</summary>
    private async ValueTask<int> UntilCancelled(CancellationToken ct)
    {
        _started.TrySetResult();
        await Task.Delay(Timeout.Infinite, ct);
        return 0;
    }

    [Fact]
    public async Task Ends_a_call_when_the_time_is_up_and_not_before()
    {
        ResiliencePipeline pipeline = Builder().AddTimeout(TimeSpan.FromSeconds(5)).Build();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(UntilCancelled).AsTask();
        await _started.Task;
        _time.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromMilliseconds(1));
        running.IsCompleted.Should().BeFalse();
        _time.Advance(TimeSpan.FromMilliseconds(1));

        Outcome<int> outcome = await running.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Verdict.Should().Be(Verdict.Failure);
        TimedOutException error = outcome.Exception.Should().BeOfType<TimedOutException>().Subject;
        error.Timeout.Should().Be(TimeSpan.FromSeconds(5));
        error.PolicyName.Should().Be("timeout");
        error.InnerException.Should().BeAssignableTo<OperationCanceledException>();
        error.Should().BeAssignableTo<TimeoutException>("existing catch blocks go on working");
    }

    [Fact]
    public async Task On_the_systems_time_the_scanner_ends_calls_of_any_length()
    {
        foreach (int ms in new[] { 20, 150, 200, 260 })
        {
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(ms)).Build();
            long start = Environment.TickCount64;
            Outcome<int> outcome = await pipeline.TryExecuteAsync(UntilCancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
            outcome.Exception.Should().BeOfType<TimedOutException>();
            (Environment.TickCount64 - start).Should().BeGreaterThanOrEqualTo(ms - 20, "a timeout is never early by more than a tick of the coarse clock");
        }
    }

    [Fact]
    public async Task A_delegate_that_answers_late_has_answered()
    {
        ResiliencePipeline pipeline = Builder().AddTimeout(TimeSpan.FromSeconds(1)).Build();
        (await pipeline.ExecuteAsync(_ =>
        {
            _time.Advance(TimeSpan.FromSeconds(9));
            return new ValueTask<int>(7);
        })).Should().Be(7);
        (await FluentActions.Awaiting(() => pipeline.ExecuteAsync<int>(_ =>
        {
            _time.Advance(TimeSpan.FromSeconds(9));
            throw new IOException("its own error");
        }).AsTask()).Should().ThrowAsync<TimedOutException>("an error after the end of the time is how the attempt was cut"))
            .WithInnerException<IOException>();
    }

    [Fact]
    public async Task The_inner_timeout_ends_the_attempt_and_leaves_the_call_alive()
    {
        ResiliencePipeline pipeline = Builder()
            .AddTimeout(new TimeoutOptions { Name = "total", Timeout = TimeSpan.FromSeconds(10) })
            .AddTimeout(new TimeoutOptions { Name = "attempt", Timeout = TimeSpan.FromSeconds(1) })
            .Build();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(UntilCancelled).AsTask();
        await _started.Task;
        _time.Advance(TimeSpan.FromSeconds(1));
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).Exception.Should().BeOfType<TimedOutException>().Which.PolicyName.Should().Be("attempt");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_outer_timeout_ends_the_attempt_too_and_the_name_is_the_outers(bool fake)
    {
        TimeSpan total = fake ? TimeSpan.FromSeconds(1) : TimeSpan.FromMilliseconds(250);
        ResiliencePipelineBuilder builder = fake ? Builder() : new();
        CircuitBreaker between = new(new() { FailureRatio = null, ConsecutiveFailures = 1 }, _time);
        ResiliencePipeline pipeline = builder
            .AddTimeout(new TimeoutOptions { Name = "total", Timeout = total })
            .AddCircuitBreaker(between)
            .AddTimeout(new TimeoutOptions { Name = "attempt", Timeout = TimeSpan.FromMinutes(10) })
            .Build();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(UntilCancelled).AsTask();
        await _started.Task;
        if (fake) _time.Advance(total);
        Outcome<int> outcome = await running.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Exception.Should().BeOfType<TimedOutException>().Which.PolicyName.Should().Be("total");
        between.State.Should().Be(CircuitState.Open, "an attempt that had the whole time of the limit hung");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_callers_cancellation_is_the_callers_whatever_the_number_of_timeouts(int timeouts)
    {
        ResiliencePipelineBuilder builder = new();
        for (int i = 0; i < timeouts; i++) builder.AddTimeout(TimeSpan.FromMinutes(5 - i));
        ResiliencePipeline pipeline = builder.Build();
        using CancellationTokenSource caller = new();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(UntilCancelled, caller.Token).AsTask();
        await _started.Task;
        await caller.CancelAsync();
        Outcome<int> outcome = await running.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeAssignableTo<OperationCanceledException>();
    }

    [Fact]
    public async Task A_timeout_retried_gives_each_attempt_its_own_time()
    {
        ResiliencePipeline pipeline = Builder().AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).AddTimeout(TimeSpan.FromSeconds(1)).Build();
        int attempts = 0;
        Task<int> running = pipeline.ExecuteAsync(async ct =>
        {
            if (++attempts == 3) return attempts;
            Task hang = Task.Delay(Timeout.Infinite, ct);
            _time.Advance(TimeSpan.FromSeconds(1));
            await hang;
            return 0;
        }).AsTask();
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).Should().Be(3);
    }

    [Fact]
    public async Task The_delegate_sees_the_time_left_and_it_is_restored_on_the_way_up()
    {
        ResiliencePipeline pipeline = Builder().AddTimeout(TimeSpan.FromSeconds(10)).AddPolicy(new SeesTime()).AddTimeout(TimeSpan.FromSeconds(2)).Build();
        SeesTime.Seen.Clear();
        string left = await pipeline.ExecuteAsync(new CallOptions("x"), (context, _) =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(500));
            return new ValueTask<string>($"{context.RemainingTime}");
        }, 0);
        left.Should().Be("00:00:01.5000000");
        SeesTime.Seen.Should().Equal(TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(9.5));
    }

    private sealed class SeesTime : SimplePolicy
    {
        public static readonly List<TimeSpan?> Seen = [];

        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Seen.Add(context.RemainingTime);
            CancellationToken before = context.CancellationToken;
            Outcome<T> outcome = await next.ExecuteAsync(context);
            context.CancellationToken.Should().Be(before);
            Seen.Add(context.RemainingTime);
            return outcome;
        }
    }

    [Fact]
    public async Task A_call_whose_deadline_has_passed_is_not_started()
    {
        ResiliencePipeline pipeline = Builder().AddPolicy(new Dawdles(_time)).AddTimeout(TimeSpan.FromSeconds(5)).Build();
        int ran = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(
            new CallOptions { Deadline = TimeSpan.FromSeconds(1) }, (_, _) => new ValueTask<int>(++ran), 0);
        outcome.Exception.Should().BeOfType<TimedOutException>();
        ran.Should().Be(0);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task The_callers_deadline_ends_the_call_and_opens_no_circuit(int timeouts)
    {
        CircuitBreaker shared = new(new() { FailureRatio = null, ConsecutiveFailures = 1 }, _time);
        ResiliencePipelineBuilder builder = Builder().AddCircuitBreaker(shared);
        for (int i = 0; i < timeouts; i++) builder.AddTimeout(TimeSpan.FromSeconds(30 - i));
        ResiliencePipeline pipeline = builder.Build();
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(
            new CallOptions { Deadline = TimeSpan.FromSeconds(1) }, (context, _) => UntilCancelled(context.CancellationToken), 0).AsTask();
        await _started.Task;
        _time.Advance(TimeSpan.FromSeconds(1));
        Outcome<int> outcome = await running.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Exception.Should().BeOfType<TimedOutException>().Which.Timeout.Should().Be(TimeSpan.FromSeconds(1));
        outcome.Verdict.Should().Be(Verdict.Ignored);
        shared.State.Should().Be(CircuitState.Closed);
    }

    private sealed class Dawdles(FakeTimeProvider time) : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            time.Advance(TimeSpan.FromSeconds(2));
            return next.ExecuteAsync(context);
        }
    }

    [Fact]
    public async Task The_time_can_be_chosen_for_each_call_and_a_bad_choice_means_the_usual_time()
    {
        using MeterListener errors = new();
        List<string> reported = [];
        errors.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument == ResilienceTelemetry.CallbackErrors.Instrument) listener.EnableMeasurementEvents(instrument);
        };
        errors.SetMeasurementEventCallback<long>((_, _, tags, _) =>
        {
            if (tags.ToArray().Any(t => t is { Key: "resilience.callback", Value: "timeout for call" })) lock (reported) reported.Add("bad");
        });
        errors.Start();
        foreach ((Func<ResilienceContext, TimeSpan?> choose, double seconds) in new (Func<ResilienceContext, TimeSpan?>, double)[]
        {
            (c => c.Operation == "long" ? TimeSpan.FromSeconds(60) : null, 60),
            (_ => null, 5),
            (_ => throw new InvalidOperationException(), 5),
            (_ => TimeSpan.MaxValue, 5),
            (_ => TimeSpan.FromSeconds(-1), 5),
        })
        {
            ResiliencePipeline pipeline = Builder().AddTimeout(o => (o.Timeout, o.TimeoutFor) = (TimeSpan.FromSeconds(5), choose)).Build();
            TimeSpan? left = await pipeline.ExecuteAsync(new CallOptions("long"), (context, _) => new ValueTask<TimeSpan?>(context.RemainingTime), 0);
            left.Should().Be(TimeSpan.FromSeconds(seconds));
        }

        reported.Should().HaveCount(3, "what throws or is out of range is counted");
    }

    [Fact]
    public async Task A_delegate_that_does_not_honor_its_token_is_left_alone_when_asked_for()
    {
        List<ResilienceEvent> heard = [];
        ResiliencePipeline pipeline = Builder()
            .AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero))
            .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)))
            .OnEvent(heard.Add)
            .Build();
        TaskCompletionSource<Closable> deaf = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int attempts = 0;
        Task<Outcome<Closable>> running = pipeline.TryExecuteAsync(ct =>
        {
            attempts++;
            if (attempts == 2) second.SetResult();
            _started.TrySetResult();
            return attempts == 1 ? deaf.Task : Task.FromResult(new Closable());
        }).AsTask();
        await _started.Task;
        _time.Advance(TimeSpan.FromSeconds(1));
        await StepUntil(second.Task);

        Outcome<Closable> outcome = await running.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.IsSuccess.Should().BeTrue();
        heard.OfType<CallTimedOut>().Should().ContainSingle().Which.IsAbandoned.Should().BeTrue();
        Closable left = new();
        deaf.SetResult(left);
        await left.Closed.Task.WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Value.Closed.Task.IsCompleted.Should().BeFalse();
    }

    /// <summary>Moves the clock on in small steps until the signal comes: the hops between steps are other threads'.</summary>
    private async Task StepUntil(Task signal)
    {
        for (int i = 0; i < 3000 && !signal.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
            await Task.WhenAny(signal, Task.Run(() => Thread.Yield()));
        }

        await signal.WaitAsync(TimeSpan.FromSeconds(30));
    }

    private sealed class Closable : IDisposable
    {
        public TaskCompletionSource Closed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Dispose() => Closed.TrySetResult();
    }

    [Fact]
    public async Task With_abandoning_a_delegate_that_honors_its_token_ends_as_usual()
    {
        ResiliencePipeline pipeline = Builder().AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.FromHours(1))).Build();
        (await pipeline.ExecuteAsync(_ => new ValueTask<int>(1))).Should().Be(1);
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(UntilCancelled).AsTask();
        await _started.Task;
        _time.Advance(TimeSpan.FromSeconds(1));
        (await running.WaitAsync(TimeSpan.FromSeconds(30))).Exception.Should().BeOfType<TimedOutException>();
    }

    [Fact]
    public async Task An_exception_of_a_callback_on_the_token_reaches_no_caller()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMilliseconds(200)).Build();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(async ct =>
        {
            ct.Register(() => throw new InvalidOperationException("callback"));
            await Task.Delay(Timeout.Infinite, ct);
            return 1;
        }).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        outcome.Exception.Should().BeOfType<TimedOutException>();
    }

    [Fact]
    public async Task Nothing_stays_registered_on_a_token_that_the_caller_keeps()
    {
        using CancellationTokenSource longLived = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromSeconds(30)).AddTimeout(TimeSpan.FromSeconds(20)).Build();
        List<CancellationToken> given = [];
        for (int i = 0; i < 100; i++)
        {
            await pipeline.ExecuteAsync(ct =>
            {
                given.Add(ct);
                return new ValueTask<int>(1);
            }, longLived.Token);
        }

        given.Distinct().Count().Should().BeLessThanOrEqualTo(4, "sources are used again");
        await longLived.CancelAsync();
        given.Should().OnlyContain(t => !t.IsCancellationRequested, "no finished call is cancelled by the caller any more");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.MaxValue)]
    public void Times_out_of_range_are_rejected(double seconds)
    {
        TimeSpan timeout = seconds == double.MaxValue ? TimeSpan.MaxValue : TimeSpan.FromSeconds(seconds);
        Builder().Invoking(b => b.AddTimeout(o => (o.Timeout, o.AbandonAfter) = (timeout, TimeSpan.MinValue)).Build())
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option).Should().Equal("Timeout", "AbandonAfter");
    }
}
