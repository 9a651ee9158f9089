using System.Threading.Tasks.Sources;

namespace Resilience.Tests.Seams;

/// <summary>The delegate of a call, or a policy of the user's, may return a value task whose source is code of the user's: it is asked whether it has ended,
/// asked to call back, and asked for the result. Whichever throws, places are back, the call has an outcome, and no other call hears of it.</summary>
public sealed class TaskSourceTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public enum Throws
    {
        WhetherItHasEnded,
        TheResultAtOnce,
        TheResultLater,
        TheCallback,

        /// <summary>It throws and calls back all the same, from another thread.</summary>
        TheCallbackAndCallsBackLater,

        /// <summary>It calls back at once, and then throws.</summary>
        TheCallbackAfterItHasCalledBack,
    }

    private sealed class Source(Throws where) : IValueTaskSource<int>, IValueTaskSource, IValueTaskSource<Outcome<int>>
    {
        private volatile bool _isOver = where == Throws.TheResultAtOnce;

        public Action? Late { get; private set; }

        public int GetResult(short token) => where is Throws.TheResultAtOnce or Throws.TheResultLater ? throw Error() : 1;

        void IValueTaskSource.GetResult(short token) => GetResult(token);

        Outcome<int> IValueTaskSource<Outcome<int>>.GetResult(short token) => Outcome.Success(GetResult(token));

        public ValueTaskSourceStatus GetStatus(short token) => where == Throws.WhetherItHasEnded ? throw Error()
            : _isOver ? ValueTaskSourceStatus.Succeeded
            : ValueTaskSourceStatus.Pending;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
        {
            if (where == Throws.TheCallback) throw Error();
            if (where == Throws.TheCallbackAndCallsBackLater)
            {
                Late = () => continuation(state);
                throw Error();
            }

            _isOver = true;
            continuation(state);
            if (where == Throws.TheCallbackAfterItHasCalledBack) throw Error();
        }

        private static NotFiniteNumberException Error() => new("of the source");
    }

    /// <summary>Below the policy of the user's there is nothing to wait for.</summary>
    private sealed class Sourced(Func<Source> make) : ResiliencePolicy
    {
        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => typeof(T) == typeof(int) ? (PolicyLink<T>)(object)new Link(make) : next;

        private sealed class Link(Func<Source> make) : PolicyLink<int>
        {
            public override ValueTask<Outcome<int>> ExecuteAsync(ResilienceContext context) => new(make(), 0);
        }
    }

    public static TheoryData<Throws, string> Walk()
    {
        TheoryData<Throws, string> walk = [];
        foreach (Throws where in Enum.GetValues<Throws>())
        {
            foreach (string whose in (string[])["delegate", "delegate without a result", "policy"]) walk.Add(where, whose);
        }

        return walk;
    }

    [Theory]
    [MemberData(nameof(Walk))]
    public async Task Whatever_a_source_of_a_task_throws_takes_no_place_and_ends_no_other_call(Throws where, string whose)
    {
        List<Source> made = [];
        Source Make()
        {
            made.Add(new(where));
            return made[^1];
        }

        ConcurrencyLimit limit = new(new() { MaxConcurrent = 2 });
        ResiliencePipelineBuilder Builder() => new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromMinutes(2))
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.Budget) = (1, TimeSpan.FromMilliseconds(1), RetryBudget.Unlimited))
            .AddCircuitBreaker(o => o.MinimumCalls = 1000)
            .AddConcurrencyLimit(limit);
        ResiliencePipeline pipeline = whose == "policy" ? Builder().AddPolicy(new Sourced(Make)).Build() : Builder().Build(), other = Builder().Build();
        for (int call = 0; call < 5; call++)
        {
            Exception? error = whose == "delegate without a result"
                ? await Record.ExceptionAsync(() => pipeline.ExecuteAsync(_ => new ValueTask(Make(), 0)).AsTask().WaitAsync(Patience))
                : (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(Make(), 0)).AsTask().WaitAsync(Patience)).Exception;
            if (where == Throws.TheCallbackAfterItHasCalledBack) error.Should().BeNull("it has called back");
            else error.Should().BeOfType<NotFiniteNumberException>();
            limit.Running.Should().Be(0);
        }

        // What was rejected and calls back all the same meets neither its own call nor those that run now.
        TaskCompletionSource<int> running = new();
        Task<Outcome<int>> beside = other.TryExecuteAsync(_ => running.Task).AsTask();
        foreach (Source source in made)
        {
            source.Late?.Invoke();
            source.Late?.Invoke();
        }

        beside.IsCompleted.Should().BeFalse();
        running.SetResult(7);
        (await beside.WaitAsync(Patience)).Value.Should().Be(7);
        limit.Running.Should().Be(0);
    }
}
