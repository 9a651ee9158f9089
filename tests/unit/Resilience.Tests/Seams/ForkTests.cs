using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Seams;

/// <summary>One way to fork a call and one way to join it again, for policies of users and for ours.</summary>
public sealed class ForkTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly ResilienceProperty<string> Learnt = new("learnt");

    /// <summary>The race that most people write, as it should be written.</summary>
    private sealed class Race(Func<Task> patience) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            using CancellationTokenSource own = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
            ResilienceContext fork = context.Fork();
            fork.CancellationToken = own.Token;
            Task<Outcome<T>> running = next.ExecuteAsync(fork).AsTask();
            if (await Task.WhenAny(running, patience()) != running)
            {
                await own.CancelAsync();
                return Outcome.Failure<T>(new TimeoutException());
            }

            context.Join(fork);
            return await running;
        }
    }

    [Fact]
    public async Task A_policy_that_forks_may_return_early_and_no_error_is_reported()
    {
        using CallbackErrors errors = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Race(() => Task.CompletedTask))
            .AddRetry(o => o.BaseDelay = TimeSpan.Zero).Build();
        TaskCompletionSource<int> end = new();
        CancellationToken seen = default;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(token =>
        {
            seen = token;
            return new ValueTask<int>(end.Task);
        });
        outcome.Exception.Should().BeOfType<TimeoutException>();
        seen.IsCancellationRequested.Should().BeTrue();
        end.SetResult(1);
        errors.Seen.Should().BeEmpty();
    }

    [Fact]
    public async Task What_a_fork_learnt_is_there_after_the_join()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddPolicy(new Race(() => new TaskCompletionSource().Task))
            .AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2)).Build();
        int attempts = 0;
        Outcome<int> outcome = await new ResiliencePipelineBuilder().AddPolicy(new Watch(context => (_attempt, _learnt) = (context.Attempt,
            context.TryGet(Learnt, out string? said) ? said : null))).AddPipeline(pipeline).Build()
            .TryExecuteAsync(new CallOptions("x"), async (context, _) =>
            {
                await Task.Yield();
                context.Set(Learnt, "yes");
                context.ForbidRetry("enough");
                if (++attempts < 3)
                {
                    context.AllowRetry();
                    throw new IOException();
                }

                return context.Attempt;
            }, 0);
        outcome.Value.Should().Be(2);
        (_attempt, _learnt).Should().Be((2, "yes"));
    }

    private int _attempt;
    private string? _learnt;

    private sealed class Watch(Action<ResilienceContext> see) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Outcome<T> outcome = await next.ExecuteAsync(context);
            see(context);
            return outcome;
        }
    }

    [Fact]
    public async Task Forks_that_are_attempts_have_numbers_of_their_own()
    {
        List<int> numbers = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Both()).Build();
        await pipeline.TryExecuteAsync(new CallOptions("x"), (context, all) =>
        {
            lock (all) all.Add(context.Attempt);
            return new ValueTask<int>(1);
        }, numbers);
        numbers.Should().Equal(0, 1);
    }

    private sealed class Both : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            ResilienceContext one = context.Fork(), other = context.Fork(isNewAttempt: true);
            Task<Outcome<T>> first = next.ExecuteAsync(one).AsTask(), second = next.ExecuteAsync(other).AsTask();
            await Task.WhenAll(first, second);
            context.Join(other);
            context.Attempt.Should().Be(1);
            context.Invoking(c => c.Join(other)).Should().Throw<ObjectDisposedException>("it was joined before");
            context.Invoking(c => c.Join(c)).Should().Throw<ArgumentException>();
            context.Invoking(c => c.Join(null!)).Should().Throw<ArgumentNullException>();
            return await second;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_attempt_that_is_abandoned_leaves_what_it_learnt(bool abandons)
    {
        FakeTimeProvider time = new();
        ResiliencePipelineBuilder builder = new() { TimeProvider = time };
        builder.AddPolicy(new Watch(context => (_attempt, _learnt) = (context.Attempt, context.TryGet(Learnt, out string? said) ? said : null)))
            .AddTimeout(o => (o.Timeout, o.AbandonAfter) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)))
            .AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 2));
        int attempts = 0;
        TaskCompletionSource third = new(TaskCreationOptions.RunContinuationsAsynchronously), end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<Outcome<int>> call = builder.Build().TryExecuteAsync(new CallOptions("x"), async (context, _) =>
        {
            if (++attempts < 3) throw new IOException();
            context.Set(Learnt, "yes");
            third.SetResult();
            await end.Task;
            return 1;
        }, 0).AsTask();
        await third.Task.WaitAsync(Patience);
        if (!abandons) end.SetResult();
        for (int i = 0; abandons && !call.IsCompleted && i < 100_000; i++)
        {
            time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await call.WaitAsync(Patience);
        _attempt.Should().Be(2, "three attempts ran");
        _learnt.Should().Be(abandons ? null : "yes", "what an abandoned attempt sets is its own, it may be at it still");
        end.TrySetResult();
    }

    [Fact]
    public async Task Hedging_and_a_retry_inside_count_on_from_one_another()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .AddRetry(o => (o.BaseDelay, o.MaxRetries) = (TimeSpan.Zero, 1))
            .AddHedging(o => (o.MaxAttempts, o.Delay) = (2, TimeSpan.Zero)).Build();
        List<int> numbers = [];
        await pipeline.TryExecuteAsync(new CallOptions("x"), (context, all) =>
        {
            lock (all) all.Add(context.Attempt);
            throw new IOException();
#pragma warning disable CS0162
            return new ValueTask<int>(1);
#pragma warning restore CS0162
        }, numbers);
        numbers.Order().Should().Equal(Enumerable.Range(0, numbers.Count)).And.HaveCountGreaterThan(2);
    }
}
