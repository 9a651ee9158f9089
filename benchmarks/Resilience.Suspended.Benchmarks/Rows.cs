using Polly;
using Resilience.Benchmarks;
using Resilience.Extensibility;

namespace Resilience.Suspended.Benchmarks;

/// <summary>The questions about the core.</summary>
internal static class Rows
{
    private const int Calls = 100_000, InFlight = 1000, Rounds = 50;

    internal static IEnumerable<Row> All()
    {
        yield return Suspended("standard chain", Ours.Standard(), Theirs.Standard());
        yield return Suspended("empty pipeline", Ours.Empty, Theirs.Empty);
        yield return Suspended("one timeout", Ours.Timeout(), Theirs.Timeout());
        yield return Suspended("one circuit breaker", Ours.Breaker(), Theirs.Breaker());
        yield return WithoutResult(Ours.Standard(), Theirs.Standard());
        yield return OfTask(Ours.Standard(), Theirs.Standard());
        yield return WithPolicyOfAUser();
        yield return RetriedOnce();
        yield return Concurrent(InFlight);
        yield return Concurrent(10 * InFlight);
        yield return Hedging(suspends: true);
        yield return Hedging(suspends: false);
        yield return AtOnce("standard chain", Ours.Standard(), Theirs.Standard());
        yield return AtOnce("empty pipeline", Ours.Empty, Theirs.Empty);
        yield return AtOnce("one circuit breaker", Ours.Breaker(), Theirs.Breaker());
        yield return AtOnce("one retry", Ours.Retry(), Theirs.Retry());
        yield return AtOnce("one timeout", Ours.Timeout(), Theirs.Timeout());
    }

    private static async ValueTask<int> LaterAsync(int n)
    {
        await Task.Yield();
        return n;
    }

    private static async Task<int> LaterTaskAsync(int n)
    {
        await Task.Yield();
        return n;
    }

    private static async ValueTask LaterVoidAsync() => await Task.Yield();

    private static Row Suspended(string name, ResiliencePipeline ours, Polly.ResiliencePipeline theirs) => new(
        $"{name}, suspends",
        Calls,
        Each(i => LaterAsync(i)),
        Each(i => theirs.ExecuteAsync(static (n, _) => LaterAsync(n), i)),
        Each(i => ours.ExecuteAsync(static (n, _) => LaterAsync(n), i)));

    private static Row AtOnce(string name, ResiliencePipeline ours, Polly.ResiliencePipeline theirs) => new(
        $"{name}, at once",
        10 * Calls,
        Each(i => new ValueTask<int>(i)),
        Each(i => theirs.ExecuteAsync(static (n, _) => new ValueTask<int>(n), i)),
        Each(i => ours.ExecuteAsync(static (n, _) => new ValueTask<int>(n), i)));

    private static Row WithoutResult(ResiliencePipeline ours, Polly.ResiliencePipeline theirs) => new(
        "standard chain, no result, suspends",
        Calls,
        async calls =>
        {
            for (int i = 0; i < calls; i++) await LaterVoidAsync();
        },
        async calls =>
        {
            for (int i = 0; i < calls; i++) await theirs.ExecuteAsync(static (_, _) => LaterVoidAsync(), i);
        },
        async calls =>
        {
            for (int i = 0; i < calls; i++) await ours.ExecuteAsync(static (_, _) => LaterVoidAsync(), i);
        });

    private static Row OfTask(ResiliencePipeline ours, Polly.ResiliencePipeline theirs) => new(
        "standard chain, delegate of a task, suspends",
        Calls,
        async calls =>
        {
            for (int i = 0; i < calls; i++) await LaterTaskAsync(i);
        },
        Each(i => theirs.ExecuteAsync(static (n, _) => new ValueTask<int>(LaterTaskAsync(n)), i)),
        Each(i => ours.ExecuteAsync(static (n, _) => LaterTaskAsync(n), i)));

    private static Row WithPolicyOfAUser()
    {
        ResiliencePipeline ours = new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry(o => (o.MaxRetries, o.BaseDelay) = (3, TimeSpan.Zero))
            .AddPolicy(new Awaiting()).AddCircuitBreaker(Ours.BreakerOptions()).AddTimeout(TimeSpan.FromSeconds(2)).Build();
        Polly.ResiliencePipeline theirs = new Polly.ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry(Theirs.RetryOptions())
            .AddStrategy(_ => new AwaitingStrategy()).AddCircuitBreaker(Theirs.BreakerOptions()).AddTimeout(TimeSpan.FromSeconds(2)).Build();
        return Suspended("standard chain and an async policy of a user", ours, theirs);
    }

    private sealed class Awaiting : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => await next.ExecuteAsync(context);
    }

    private sealed class AwaitingStrategy : ResilienceStrategy
    {
        protected override async ValueTask<Polly.Outcome<TResult>> ExecuteCore<TResult, TState>(
            Func<Polly.ResilienceContext, TState, ValueTask<Polly.Outcome<TResult>>> callback, Polly.ResilienceContext context, TState state) =>
            await callback(context, state);
    }

    private static Row RetriedOnce()
    {
        ResiliencePipeline ours = new ResiliencePipelineBuilder()
            .Classify(static rules => rules.OnResult<int>(static n => n < 0 ? Verdict.Failure : null))
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Budget) = (3, TimeSpan.Zero, RetryBudget.Unlimited)).Build();
        Polly.ResiliencePipeline<int> theirs = new Polly.ResiliencePipelineBuilder<int>()
            .AddRetry(new() { MaxRetryAttempts = 3, Delay = TimeSpan.Zero, ShouldHandle = static a => new(a.Outcome.Result < 0) }).Build();
        int attempts = 0;
        ValueTask<int> EverySecondAsync() => LaterAsync((attempts++ & 1) - 1);
        return new(
            "retry, the first of two attempts fails, both suspend (bare: two delegates)",
            Calls,
            async calls =>
            {
                for (int i = 0; i < 2 * calls; i++) await EverySecondAsync();
            },
            Each(_ => theirs.ExecuteAsync(_ => EverySecondAsync())),
            Each(_ => ours.ExecuteAsync(_ => EverySecondAsync())));
    }

    /// <summary>So many calls are under way at once, again and again; a call ends when all have begun.</summary>
    private static Row Concurrent(int inFlight)
    {
        ResiliencePipeline ours = Ours.Standard();
        Polly.ResiliencePipeline theirs = Theirs.Standard();
        return new(
            $"standard chain, {inFlight:#,0} calls under way",
            inFlight * Rounds,
            calls => TogetherAsync(calls, inFlight, static gate => WaitAsync(gate)),
            calls => TogetherAsync(calls, inFlight, gate => theirs.ExecuteAsync(static (g, _) => WaitAsync(g), gate)),
            calls => TogetherAsync(calls, inFlight, gate => ours.ExecuteAsync(static (g, _) => WaitAsync(g), gate)));
    }

    private static async ValueTask<int> WaitAsync(Task gate)
    {
        await gate.ConfigureAwait(false);
        return 1;
    }

    private static async Task TogetherAsync(int calls, int inFlight, Func<Task, ValueTask<int>> call)
    {
        ValueTask<int>[] running = new ValueTask<int>[inFlight];
        for (int round = 0; round < calls / inFlight; round++)
        {
            TaskCompletionSource gate = new(TaskCreationOptions.RunContinuationsAsynchronously);
            for (int i = 0; i < inFlight; i++) running[i] = call(gate.Task);
            gate.SetResult();
            for (int i = 0; i < inFlight; i++) await running[i];
        }
    }

    private static Row Hedging(bool suspends)
    {
        ResiliencePipeline ours = Ours.Hedging();
        Polly.ResiliencePipeline<int> theirs = Theirs.Hedging();
        return suspends
            ? new(
                "hedging, the first attempt wins, suspends",
                Calls,
                Each(i => LaterAsync(i)),
                Each(i => theirs.ExecuteAsync(static (n, _) => LaterAsync(n), i)),
                Each(i => ours.ExecuteAsync(static (n, _) => LaterAsync(n), i)))
            : new(
                "hedging, the first attempt wins, at once",
                Calls,
                Each(i => new ValueTask<int>(i)),
                Each(i => theirs.ExecuteAsync(static (n, _) => new ValueTask<int>(n), i)),
                Each(i => ours.ExecuteAsync(static (n, _) => new ValueTask<int>(n), i)));
    }

    private static Func<int, Task> Each(Func<int, ValueTask<int>> call) => async calls =>
    {
        for (int i = 0; i < calls; i++) await call(i);
    };
}
