using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Pipelines;

/// <summary>The pipeline itself: what goes in and what comes out, whatever the policies.</summary>
public sealed class PipelineTests
{
    private static readonly ResiliencePipeline Breaker = new ResiliencePipelineBuilder()
        .AddCircuitBreaker(new CircuitBreakerOptions { MinimumCalls = 1_000_000 }).Build();

    public static TheoryData<string> Pipelines() => ["empty", "breaker", "nested", "custom"];

    private static ResiliencePipeline Make(string kind) => kind switch
    {
        "empty" => ResiliencePipeline.Empty,
        "breaker" => Breaker,
        "nested" => new ResiliencePipelineBuilder().AddPipeline(Breaker).AddPipeline(ResiliencePipeline.Empty).Build(),
        _ => new ResiliencePipelineBuilder().AddPolicy(new Tally()).Build(),
    };

    private sealed class Tally : SimplePolicy
    {
        public int Calls;

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Interlocked.Increment(ref Calls);
            return next.ExecuteAsync(context);
        }
    }

    [Theory]
    [MemberData(nameof(Pipelines))]
    public async Task Every_kind_of_delegate_runs_and_returns(string kind)
    {
        ResiliencePipeline pipeline = Make(kind);
        CancellationToken token = new CancellationTokenSource().Token;
        int ran = 0;

        (await pipeline.ExecuteAsync(ct => new ValueTask<int>(ct == token ? 1 : 0), token)).Should().Be(1);
        (await pipeline.ExecuteAsync(ct => Task.FromResult(ct == token ? "a" : ""), token)).Should().Be("a");
        (await pipeline.ExecuteAsync(async ct => { await Task.Yield(); return 2; }, token)).Should().Be(2);
        (await pipeline.ExecuteAsync(static async (s, ct) => { await Task.Yield(); return s * 2; }, 21, token)).Should().Be(42);
        (await pipeline.ExecuteAsync(static (s, ct) => Task.FromResult(s), 'x', token)).Should().Be('x');
        (await pipeline.ExecuteAsync(static (s, ct) => new ValueTask<long>(s), 7L, token)).Should().Be(7);
        await pipeline.ExecuteAsync(ct => { ran++; return ValueTask.CompletedTask; }, token);
        await pipeline.ExecuteAsync(ct => { ran++; return Task.CompletedTask; }, token);
        await pipeline.ExecuteAsync(async ct => { await Task.Yield(); ran++; }, token);
        await pipeline.ExecuteAsync(static (add, ct) => { add(); return ValueTask.CompletedTask; }, () => ran++, token);
        await pipeline.ExecuteAsync(static async (add, ct) => { await Task.Yield(); add(); }, () => ran++, token);
        await pipeline.ExecuteAsync(static (add, ct) => { add(); return Task.CompletedTask; }, () => ran++, token);
        ran.Should().Be(6);

        (await pipeline.TryExecuteAsync(ct => new ValueTask<int>(1), token)).Value.Should().Be(1);
        (await pipeline.TryExecuteAsync(ct => Task.FromResult(1), token)).Value.Should().Be(1);
        (await pipeline.TryExecuteAsync(static (s, ct) => new ValueTask<int>(s), 3, token)).Value.Should().Be(3);
        (await pipeline.TryExecuteAsync(static (s, ct) => Task.FromResult(s), 4, token)).Value.Should().Be(4);
        (await pipeline.TryExecuteAsync(new("op"), static (context, s) => new ValueTask<string?>(context.Operation + s), 5, token)).Value.Should().Be("op5");
        (await pipeline.ExecuteAsync(new("op"), static (context, s) => new ValueTask<string?>(context.Operation + s), 6, token)).Should().Be("op6");
        await pipeline.ExecuteAsync(new("op"), static (context, add) => { add(); return ValueTask.CompletedTask; }, () => ran++, token);
        ran.Should().Be(7);
    }

    [Theory]
    [MemberData(nameof(Pipelines))]
    public async Task Every_way_to_fail_comes_out_as_the_same_exception(string kind)
    {
        ResiliencePipeline pipeline = Make(kind);
        IOException error = new("boom");
        await Throws(() => pipeline.ExecuteAsync<int>(_ => throw error));
        await Throws(() => pipeline.ExecuteAsync(_ => ValueTask.FromException<int>(error)));
        await Throws(() => pipeline.ExecuteAsync(_ => Task.FromException<int>(error)));
        await Throws(() => pipeline.ExecuteAsync<int>(async _ => { await Task.Yield(); throw error; }));
        await Throws(() => pipeline.ExecuteAsync(static async (e, _) => { await Task.Yield(); return e is null ? 1 : throw e; }, error));
        await ThrowsVoid(() => pipeline.ExecuteAsync(_ => throw error));
        await ThrowsVoid(() => pipeline.ExecuteAsync(async _ => { await Task.Yield(); throw error; }));
        await ThrowsVoid(() => pipeline.ExecuteAsync(_ => Task.FromException(error)));

        (await pipeline.TryExecuteAsync<int>(_ => throw error)).Exception.Should().BeSameAs(error);
        (await pipeline.TryExecuteAsync(_ => Task.FromException<int>(error))).Exception.Should().BeSameAs(error);
        (await pipeline.TryExecuteAsync<int>(async _ => { await Task.Yield(); throw error; })).Exception.Should().BeSameAs(error);

        async Task Throws(Func<ValueTask<int>> act) =>
            (await FluentActions.Awaiting(() => act().AsTask()).Should().ThrowAsync<IOException>()).Which.Should().BeSameAs(error);
        async Task ThrowsVoid(Func<ValueTask> act) =>
            (await FluentActions.Awaiting(() => act().AsTask()).Should().ThrowAsync<IOException>()).Which.Should().BeSameAs(error);
    }

    [Theory]
    [MemberData(nameof(Pipelines))]
    public async Task A_failure_is_thrown_by_the_await_not_by_the_call(string kind)
    {
        ValueTask<int> running = Make(kind).ExecuteAsync<int>(_ => throw new IOException());
        running.IsFaulted.Should().BeTrue();
        await FluentActions.Awaiting(async () => await running).Should().ThrowAsync<IOException>();
    }

    [Fact]
    public async Task The_stack_trace_of_the_delegate_is_kept()
    {
        IOException thrown = (await FluentActions.Awaiting(() => ResiliencePipeline.Empty.ExecuteAsync(Deep).AsTask()).Should().ThrowAsync<IOException>())
            .Which;
        thrown.StackTrace.Should().Contain(nameof(Deep));

        static ValueTask<int> Deep(CancellationToken ct) => throw new IOException("deep");
    }

    [Fact]
    public async Task A_faulted_pipeline_task_can_be_waited_for_in_every_way()
    {
        ValueTask<int> viaTask = ResiliencePipeline.Empty.ExecuteAsync<int>(_ => throw new IOException());
        await FluentActions.Awaiting(() => Task.WhenAll(viaTask.AsTask())).Should().ThrowAsync<IOException>();
        ValueTask<int> cancelled = ResiliencePipeline.Empty.ExecuteAsync<int>(_ => throw new OperationCanceledException());
        cancelled.IsCanceled.Should().BeTrue();
        await FluentActions.Awaiting(() => cancelled.AsTask()).Should().ThrowAsync<OperationCanceledException>();

        TaskCompletionSource continued = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ValueTask<int> observed = ResiliencePipeline.Empty.ExecuteAsync<int>(_ => throw new IOException());
        observed.GetAwaiter().OnCompleted(continued.SetResult);
        await continued.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Theory]
    [MemberData(nameof(Pipelines))]
    public async Task Null_delegates_are_rejected_at_once(string kind)
    {
        ResiliencePipeline pipeline = Make(kind);
        await NullRejected(() => _ = pipeline.ExecuteAsync((Func<CancellationToken, ValueTask<int>>)null!));
        await NullRejected(() => _ = pipeline.ExecuteAsync((Func<CancellationToken, Task<int>>)null!));
        await NullRejected(() => _ = pipeline.ExecuteAsync((Func<CancellationToken, ValueTask>)null!));
        await NullRejected(() => _ = pipeline.ExecuteAsync((Func<CancellationToken, Task>)null!));
        await NullRejected(() => _ = pipeline.ExecuteAsync((Func<int, CancellationToken, ValueTask<int>>)null!, 1));
        await NullRejected(() => _ = pipeline.TryExecuteAsync((Func<CancellationToken, ValueTask<int>>)null!));
        await NullRejected(() => _ = pipeline.TryExecuteAsync(default, (Func<ResilienceContext, int, ValueTask<int>>)null!, 1));

        static Task NullRejected(Action act)
        {
            act.Should().Throw<ArgumentNullException>();
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task A_delegate_that_returns_null_instead_of_a_task_gets_a_clear_error()
    {
        Outcome<int> outcome = await ResiliencePipeline.Empty.TryExecuteAsync(_ => (Task<int>)null!);
        outcome.Exception.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("null instead of a task");
        await FluentActions.Awaiting(() => ResiliencePipeline.Empty.ExecuteAsync(_ => (Task)null!).AsTask())
            .Should().ThrowAsync<InvalidOperationException>().WithMessage("*null instead of a task*");
    }

    [Theory]
    [MemberData(nameof(Pipelines))]
    public async Task A_token_that_is_cancelled_before_the_start_means_that_nothing_runs(string kind)
    {
        ResiliencePipeline pipeline = Make(kind);
        int ran = 0;
        using CancellationTokenSource source = new();
        source.Cancel();
        Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => { ran++; return new ValueTask<int>(1); }, source.Token);
        outcome.Verdict.Should().Be(Verdict.Ignored);
        outcome.Exception.Should().BeOfType<OperationCanceledException>().Which.CancellationToken.Should().Be(source.Token);
        await FluentActions.Awaiting(() => pipeline.ExecuteAsync(_ => { ran++; return new ValueTask<int>(1); }, source.Token).AsTask())
            .Should().ThrowAsync<OperationCanceledException>();
        ran.Should().Be(0);
    }

    [Fact]
    public async Task A_cancellation_without_a_cancelled_token_is_a_failure_and_one_of_the_caller_is_ignored()
    {
        (await ResiliencePipeline.Empty.TryExecuteAsync<int>(_ => throw new TaskCanceledException("client timeout"))).Verdict.Should().Be(Verdict.Failure);
        using CancellationTokenSource caller = new();
        Outcome<int> outcome = await ResiliencePipeline.Empty.TryExecuteAsync<int>(
            async ct =>
            {
                await caller.CancelAsync();
                ct.ThrowIfCancellationRequested();
                return 1;
            },
            caller.Token);
        outcome.Verdict.Should().Be(Verdict.Ignored);
    }

    public static TheoryData<Exception, Verdict> Defaults() => new()
    {
        { new IOException(), Verdict.Failure },
        { new HttpRequestException(), Verdict.Failure },
        { new TimeoutException(), Verdict.Failure },
        { new InvalidOperationException(), Verdict.Failure },
        { new ArgumentException(), Verdict.Ignored },
        { new ArgumentNullException(), Verdict.Ignored },
        { new NotSupportedException(), Verdict.Ignored },
        { new NotImplementedException(), Verdict.Ignored },
        { new NullReferenceException(), Verdict.Ignored },
        { new ObjectDisposedException("x"), Verdict.Ignored },
        { new ResilienceException("inner rejection"), Verdict.Rejected },
    };

    [Theory]
    [MemberData(nameof(Defaults))]
    public async Task The_default_classifier_judges_as_documented(Exception error, Verdict verdict) =>
        (await ResiliencePipeline.Empty.TryExecuteAsync<int>(_ => throw error)).Verdict.Should().Be(verdict);

    [Fact]
    public async Task Rules_are_asked_in_order_and_the_first_answer_wins()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(c => c
                .On<IOException>(e => e.Message == "bad request" ? Verdict.Ignored : null)
                .On<IOException>(Verdict.Failure)
                .On<ArgumentException>(Verdict.Failure)
                .OnResult<int>(r => r >= 500 ? Verdict.Failure : r >= 400 ? Verdict.Ignored : null))
            .Build();
        (await pipeline.TryExecuteAsync<int>(_ => throw new FileNotFoundException("bad request"))).Verdict.Should().Be(Verdict.Ignored);
        (await pipeline.TryExecuteAsync<int>(_ => throw new FileNotFoundException("other"))).Verdict.Should().Be(Verdict.Failure);
        (await pipeline.TryExecuteAsync<int>(_ => throw new ArgumentException("mine"))).Verdict.Should().Be(Verdict.Failure);
        foreach ((int status, Verdict verdict) in new[] { (200, Verdict.Success), (404, Verdict.Ignored), (503, Verdict.Failure) })
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(status));
            outcome.Verdict.Should().Be(verdict);
            outcome.Value.Should().Be(status);
            (await pipeline.ExecuteAsync(_ => new ValueTask<int>(status))).Should().Be(status, "a result that counts as a failure is still the result");
        }

        FluentActions.Invoking(() => OutcomeClassifier.Default.On<IOException>(Verdict.Success)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => OutcomeClassifier.Default.OnResult<int>(null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public async Task Calls_of_different_types_alternate_and_nest_without_mixing_up()
    {
        ResiliencePipeline pipeline = Breaker;
        for (int i = 0; i < 200; i++)
        {
            int number = i;
            string text = await pipeline.ExecuteAsync(
                async (n, ct) =>
                {
                    long inner = await pipeline.ExecuteAsync(static (m, _) => new ValueTask<long>(m), (long)n, ct);
                    int again = await pipeline.ExecuteAsync(static async (m, _) => { await Task.Yield(); return m; }, n, ct);
                    await pipeline.ExecuteAsync(_ => ValueTask.CompletedTask, ct);
                    return $"{n} {inner} {again}";
                },
                number);
            text.Should().Be($"{i} {i} {i}");
        }
    }

    [Fact]
    public async Task Many_calls_at_once_each_get_their_own_result()
    {
        ResiliencePipeline pipeline = Make("nested");
        string[] results = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => Task.Run(async () =>
            await pipeline.ExecuteAsync(static async (n, _) => { await Task.Yield(); return $"r{n}"; }, i))));
        results.Should().Equal(Enumerable.Range(0, 2000).Select(i => $"r{i}"));
    }

    [Fact]
    public async Task The_context_tells_the_delegate_about_its_call_and_is_closed_afterwards()
    {
        FakeTimeProvider time = new();
        ResilienceProperty<string> tenant = new("tenant");
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "orders", TimeProvider = time }.Build();
        CallOptions options = new("charge") { Deadline = TimeSpan.FromSeconds(10), Properties = new CallProperties().With(tenant, "acme") };
        ResilienceContext? kept = null;
        string seen = await pipeline.ExecuteAsync(
            options,
            (context, nothing) =>
            {
                kept = context;
                time.Advance(TimeSpan.FromSeconds(4));
                context.TryGet(tenant, out string? who).Should().BeTrue();
                context.TryGet(new ResilienceProperty<string>("tenant"), out _).Should().BeFalse("keys are equal by identity only");
                return new ValueTask<string>($"{context.PipelineName} {context.Operation} {who} {context.Attempt} {context.RemainingTime}");
            },
            0);
        seen.Should().Be("orders charge acme 0 00:00:06");
        kept.Should().NotBeNull();
        kept!.Invoking(c => c.CancellationToken).Should().Throw<ObjectDisposedException>();
        kept!.Invoking(c => c.RemainingTime).Should().Throw<ObjectDisposedException>();
        kept!.Invoking(c => c.Set(tenant, "x")).Should().Throw<ObjectDisposedException>();
        kept!.Invoking(c => c.CancellationToken = default).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void A_negative_deadline_is_rejected() =>
        FluentActions.Invoking(() => new CallOptions { Deadline = TimeSpan.FromSeconds(-1) }).Should().Throw<ArgumentOutOfRangeException>();

    [Fact]
    public async Task Default_call_options_say_nothing()
    {
        (await ResiliencePipeline.Empty.ExecuteAsync(default, static (c, _) => new ValueTask<bool>(c.Operation is null && c.RemainingTime is null), 0))
            .Should().BeTrue();
    }
}
