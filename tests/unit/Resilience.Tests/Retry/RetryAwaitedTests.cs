using Resilience.Tests.Seams;

namespace Resilience.Tests.Retry;

/// <summary>What a retry awaits before its wait, and what its event says of the attempt that failed.</summary>
public sealed class RetryAwaitedTests
{
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(1);

    private readonly SteppedTime _time = new();
    private readonly List<string> _trace = [];

    private ResiliencePipeline Pipeline(Func<AttemptResult, TimeSpan, CancellationToken, ValueTask> tell, Action<ResiliencePipelineBuilder>? more = null)
    {
        ResiliencePipelineBuilder builder = new() { TimeProvider = _time };
        more?.Invoke(builder);
        return builder.AddRetry(o =>
        {
            (o.MaxRetries, o.BackoffKind, o.BaseDelay, o.Jitter) = (1, BackoffKind.Constant, Wait, BackoffJitter.None);
            o.OnRetry = (_, wait) => _trace.Add($"{_time.NowMs} on retry {wait.TotalMilliseconds}");
            o.OnRetryAsync = tell;
        }).Build();
    }

    private Func<CancellationToken, ValueTask<int>> Failing => _ =>
    {
        _trace.Add($"{_time.NowMs} attempt");
        throw new TimeoutException();
    };

    private Outcome<int> Run(ResiliencePipeline pipeline, CallOptions options = default, CancellationToken cancellationToken = default)
    {
        Task<Outcome<int>> running = pipeline.TryExecuteAsync(options, static (c, failing) => failing(c.CancellationToken), Failing, cancellationToken)
            .AsTask();
        _time.RunUntil(running);
        return running.Result;
    }

    [Theory]
    [InlineData(0, 1000)]
    [InlineData(400, 1000)]
    [InlineData(1000, 1000)]
    [InlineData(2500, 2500)]
    public void What_is_awaited_is_taken_off_the_wait(int takesMs, int nextMs)
    {
        Run(Pipeline(async (attempt, wait, token) =>
        {
            _trace.Add($"{_time.NowMs} begins {attempt.Number} {wait.TotalMilliseconds}");
            if (takesMs > 0) await Task.Delay(TimeSpan.FromMilliseconds(takesMs), _time, token);
            _trace.Add($"{_time.NowMs} ends");
        })).Verdict.Should().Be(Verdict.Failure);
        _trace.Should().Equal("0 attempt", "0 on retry 1000", "0 begins 0 1000", $"{takesMs} ends", $"{nextMs} attempt");
    }

    [Fact]
    public void An_error_in_it_is_counted_and_the_retry_is_made_after_the_whole_wait()
    {
        using CallbackErrors errors = new();
        Run(Pipeline((_, _, _) => throw new FormatException())); // before its first await
        Run(Pipeline(async (_, _, token) =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), _time, token);
            throw new FormatException();
        }));
        _trace.Where(t => t.EndsWith("attempt", StringComparison.Ordinal)).Should().Equal("0 attempt", "1000 attempt", "1000 attempt", "2000 attempt");
        (errors.Seen, errors.Count).Should().BeEquivalentTo((new[] { "retry OnRetryAsync" }, 2));
    }

    [Fact]
    public void At_the_deadline_its_token_is_cancelled_and_there_is_no_retry()
    {
        using CallbackErrors errors = new();
        List<ResilienceEvent> events = [];
        bool isCancelled = false;
        Outcome<int> outcome = Run(
            Pipeline(
                async (_, _, token) =>
                {
                    try
                    {
                        await Task.Delay(Timeout.InfiniteTimeSpan, _time, token);
                    }
                    finally
                    {
                        isCancelled = token.IsCancellationRequested;
                    }
                },
                b => b.OnEvent(events.Add)),
            new() { Deadline = TimeSpan.FromSeconds(3) });
        (isCancelled, _time.NowMs, errors.Count).Should().Be((true, 3000, 0));
        _trace.Should().ContainSingle(t => t.EndsWith("attempt", StringComparison.Ordinal));
        events.OfType<RetryStopped>().Should().ContainSingle().Which.Cause.Should().Be(RetryStopReason.Deadline);
        (outcome.DoNotRetry, outcome.Exception).Should().Match<(bool Marked, Exception? Thrown)>(e => e.Marked && e.Thrown is TimeoutException);
    }

    [Fact]
    public async Task A_caller_who_leaves_cancels_its_token_and_the_call()
    {
        using CancellationTokenSource leaving = new();
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Outcome<int>> running = Pipeline(async (_, _, token) =>
        {
            begun.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
        }).TryExecuteAsync(Failing, leaving.Token).AsTask();
        await begun.Task;
        await leaving.CancelAsync();
        _time.RunUntil(running);
        (await running).Exception.Should().BeAssignableTo<OperationCanceledException>().Which.CancellationToken.Should().Be(leaving.Token);
        _trace.Should().ContainSingle(t => t.EndsWith("attempt", StringComparison.Ordinal));
    }

    [Fact]
    public void A_result_lives_until_it_has_ended()
    {
        MemoryStream result = new();
        bool wasAlive = false;
        ResiliencePipeline pipeline = Pipeline(
            async (attempt, _, token) =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(10), _time, token);
                wasAlive = attempt.Result is MemoryStream { CanRead: true };
            },
            b => b.Classify(r => r.OnResult<MemoryStream>(s => ReferenceEquals(s, result) ? Verdict.Failure : null)));
        int calls = 0;
        _time.RunUntil(pipeline.ExecuteAsync(_ => ValueTask.FromResult(calls++ == 0 ? result : new MemoryStream())).AsTask());
        (wasAlive, result.CanRead, calls).Should().Be((true, false, 2));
    }

    [Fact]
    public void In_a_synchronous_call_it_is_begun_without_a_context_and_its_thread_waits()
    {
        SynchronizationContext? former = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(new SynchronizationContext());
        try
        {
            int thread = Environment.CurrentManagedThreadId, calls = 0;
            bool sawContext = true;
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
            {
                (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero);
                o.OnRetryAsync = async (_, _, _) =>
                {
                    sawContext = SynchronizationContext.Current is not null;
                    await Task.Yield();
                };
            }).Build();
            pipeline.Execute(_ =>
            {
                Environment.CurrentManagedThreadId.Should().Be(thread);
                return calls++ == 0 ? throw new TimeoutException() : calls;
            }).Should().Be(2);
            sawContext.Should().BeFalse();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(former);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_event_has_the_exception_and_how_long_the_attempt_took(bool throws)
    {
        List<RetryScheduled> events = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }
            .OnEvent(e => events.AddRange(new[] { e }.OfType<RetryScheduled>()))
            .Classify(r => r.OnResult<int>(n => n < 0 ? Verdict.Failure : null))
            .AddRetry(o => (o.MaxRetries, o.BackoffKind, o.BaseDelay, o.Jitter) = (2, BackoffKind.Constant, Wait, BackoffJitter.None)).Build();
        int calls = 0;
        _time.RunUntil(pipeline.TryExecuteAsync(async token =>
        {
            await Task.Delay(TimeSpan.FromMilliseconds(++calls * 70), _time, token);
            return throws ? throw new TimeoutException($"{calls}") : -1;
        }).AsTask());
        events.Select(e => e.AttemptDuration?.TotalMilliseconds).Should().Equal(70, 140);
        events.Select(e => e.Exception?.Message).Should().Equal(throws ? ["1", "2"] : [null, null]);
    }
}
