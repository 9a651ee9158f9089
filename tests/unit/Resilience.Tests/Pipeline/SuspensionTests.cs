using System.Diagnostics;
using Resilience.Tests.Seams;

namespace Resilience.Tests.Pipeline;

/// <summary>Calls that suspend: the links above go on in their order, once, wherever and whenever the delegate ends, and whatever a link does.</summary>
public sealed class SuspensionTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>What a link does about a call that suspends below it.</summary>
    public enum Way
    {
        /// <summary>Says what is to be done when the call comes back.</summary>
        Suspends,

        /// <summary>Awaits the call in a method of its own.</summary>
        Awaits,

        /// <summary>Says so too, and then waits once more before it answers.</summary>
        Continues,

        /// <summary>Says so too; and ends the delegate, on the way up.</summary>
        EndsTheDelegate,

        /// <summary>Throws when the call comes back after it had suspended.</summary>
        Throws,

        /// <summary>A policy of a user, which awaits.</summary>
        IsOfAUser,

        /// <summary>A policy of a user, which looks again and again and never awaits.</summary>
        Polls,

        // ---- flaws

        /// <summary>Awaits nothing, though it is not a policy of a user.</summary>
        NeverAwaits,

        /// <summary>Pushes itself twice.</summary>
        PushesTwice,
    }

    private static readonly Way[] Sound = [Way.Suspends, Way.Awaits, Way.Continues, Way.EndsTheDelegate, Way.Throws, Way.IsOfAUser, Way.Polls];

    [Fact]
    public async Task Links_go_on_innermost_first_and_once_in_every_chain_of_four()
    {
        using CallbackErrors errors = new(); // those of the links that throw
        foreach (Way[] chain in Chains(4))
        {
            (await FaultOfAsync(chain, endsOnAnotherThread: false)).Should().BeNull("of {0}", string.Join(' ', chain));
        }
    }

    [Fact]
    public async Task Links_go_on_innermost_first_and_once_when_another_thread_ends_the_delegate()
    {
        using CallbackErrors errors = new();
        foreach (Way[] chain in Chains(3))
        {
            for (int i = 0; i < 5; i++) (await FaultOfAsync(chain, endsOnAnotherThread: true)).Should().BeNull("of {0}", string.Join(' ', chain));
        }
    }

    [Fact]
    public async Task Chains_longer_than_usual_go_on_in_their_order_too()
    {
        using CallbackErrors errors = new();
        Random random = new(1);
        for (int i = 0; i < 200; i++)
        {
            Way[] chain = [.. Enumerable.Range(0, random.Next(5, 40)).Select(_ => Sound[random.Next(Sound.Length)])];
            (await FaultOfAsync(chain, endsOnAnotherThread: (i & 1) == 0)).Should().BeNull("of {0}", string.Join(' ', chain));
        }
    }

    [Theory]
    [InlineData(Way.NeverAwaits, "has not ended")]
    [InlineData(Way.PushesTwice, "order")]
    public async Task A_planted_fault_of_a_link_is_found(Way flaw, string complaint) =>
        (await FaultOfAsync([Way.Suspends, flaw, Way.Suspends], endsOnAnotherThread: false)).Should().Contain(complaint);

    private static IEnumerable<Way[]> Chains(int longest) =>
        from length in Enumerable.Range(0, longest + 1)
        from number in Enumerable.Range(0, (int)Math.Pow(Sound.Length, length))
        select (Way[])[.. Enumerable.Range(0, length).Select(i => Sound[number / (int)Math.Pow(Sound.Length, i) % Sound.Length])];

    /// <summary>Runs a call through such links, outermost first; null when all was well.</summary>
    private static async Task<string?> FaultOfAsync(Way[] chain, bool endsOnAnotherThread)
    {
        TaskCompletionSource<int> end = new();
        List<int> order = [];
        ResiliencePipelineBuilder builder = new();
        for (int i = 0; i < chain.Length; i++)
        {
            builder.AddPolicy(chain[i] is Way.IsOfAUser or Way.Polls
                ? new OfAUser(i, chain[i] == Way.Polls, order)
                : new Ours(i, chain[i], order, end));
        }

        ResiliencePipeline pipeline = builder.Build();
        Task finishing = endsOnAnotherThread ? Task.Run(() => end.TrySetResult(42)) : Task.CompletedTask;
        ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(static (e, _) => new ValueTask<int>(e.Task), end);
        end.TrySetResult(42);
        await finishing;
        Task<Outcome<int>> running = call.AsTask();
        bool mayHang = chain.Contains(Way.NeverAwaits);
        if (mayHang ? !running.IsCompleted : await Task.WhenAny(running, Task.Delay(Patience)) != running) return "the call has not ended";
        Outcome<int> outcome = await running;
        int[] expected = [.. Enumerable.Range(0, chain.Length).Reverse()];
        lock (order)
        {
            if (!order.SequenceEqual(expected)) return $"the order was {string.Join(' ', order)}";
        }

        bool isRight = outcome is { IsSuccess: true, Value: 42 }
            || (chain.Contains(Way.Throws) && outcome is { Verdict: Verdict.Failure, Exception: NotSupportedException });
        return isRight ? null : $"it ended with {outcome}";
    }

    private sealed class Ours(int number, Way way, List<int> order, TaskCompletionSource<int> end) : ResiliencePolicy
    {
        internal override bool NeverThrows => true;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => way == Way.Awaits ? new AwaitingLink<T>(this, next) : new Link<T>(this, next);

        private void Note()
        {
            lock (order) order.Add(number);
        }

        private sealed class AwaitingLink<T>(Ours policy, PolicyLink<T> next) : PolicyLink<T>
        {
            public override async ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                Outcome<T> outcome = await next.ExecuteAsync(context).ConfigureAwait(false);
                policy.Note();
                return outcome;
            }
        }

        private sealed class Link<T>(Ours policy, PolicyLink<T> next) : SuspendingLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context)
            {
                ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
                policy.EndOnTheWayUp();
                if (running.IsCompletedSuccessfully)
                {
                    policy.Note();
                    return policy.Flaw == Way.Continues ? ContinueAsync(context, running.Result) : running;
                }

                if (policy.Flaw == Way.NeverAwaits) return new(new TaskCompletionSource<Outcome<T>>().Task);
                ValueTask<Outcome<T>> suspended = Suspend(running, context);
                return policy.Flaw == Way.PushesTwice ? Suspend(suspended, context) : suspended;
            }

            private protected override bool TryFinish(ResilienceContext context, in FrameState state, ref Outcome<T> outcome)
            {
                policy.Note();
                if (policy.Flaw == Way.Throws) throw new NotSupportedException("planted");
                return policy.Flaw != Way.Continues;
            }

            private protected override async ValueTask<Outcome<T>> ContinueAsync(ResilienceContext context, Outcome<T> outcome)
            {
                await Task.Yield();
                return outcome;
            }
        }

        private Way Flaw => way;

        private void EndOnTheWayUp()
        {
            if (way == Way.EndsTheDelegate) end.TrySetResult(42);
        }
    }

    private sealed class OfAUser(int number, bool polls, List<int> order) : SimplePolicy
    {
        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
            while (polls && !running.IsCompleted) await Task.Yield();
            Outcome<T> outcome = await running;
            lock (order) order.Add(number);
            return outcome;
        }
    }

    // ---- what the caller sees

    [Fact]
    public async Task A_call_that_is_awaited_twice_says_so()
    {
        Later later = new();
        ValueTask<int> call = Standard().ExecuteAsync(static (l, _) => l.Begin(), later);
        ValueTask<int> again = call;
        later.End(42);
        (await call).Should().Be(42);
        Func<Task> second = async () => await again;
        await second.Should().ThrowAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task As_a_task_the_call_is_successful_cancelled_or_faulted()
    {
        ResiliencePipeline pipeline = Standard();
        Task<int> Run(Exception? error)
        {
            Later later = new();
            Task<int> call = pipeline.ExecuteAsync(static (l, _) => l.Begin(), later).AsTask();
            call.IsCompleted.Should().BeFalse();
            if (error is null) later.End(42);
            else later.Fail(error);
            return call;
        }

        (await Run(null)).Should().Be(42);
        Task<int> cancelled = Run(new OperationCanceledException()), faulted = Run(new NotSupportedException());
        await Task.WhenAny(cancelled).WaitAsync(Patience);
        await Task.WhenAny(faulted).WaitAsync(Patience);
        cancelled.Status.Should().Be(TaskStatus.Canceled);
        faulted.Status.Should().Be(TaskStatus.Faulted);
        faulted.Exception!.InnerException.Should().BeOfType<NotSupportedException>();
    }

    [Fact]
    public async Task The_trace_of_an_exception_shows_the_delegate_and_none_of_ours()
    {
        async ValueTask<int> FailAsync()
        {
            await Task.Yield();
            throw new NotSupportedException("of the delegate");
        }

        Exception? seen = await Record.ExceptionAsync(async () => await Standard().ExecuteAsync(_ => FailAsync()));
        seen!.StackTrace.Should().Contain(nameof(FailAsync));
        foreach (Type ours in new[] { typeof(Suspension), typeof(AttemptLink<int>), typeof(Outcome<int>), typeof(Call<int>) })
            seen.StackTrace.Should().NotContain($"Resilience.{ours.Name.Split('`')[0]}");
    }

    [Fact]
    public async Task The_call_of_a_caller_keeps_its_execution_context_in_delegate_rules_callbacks_and_after()
    {
        AsyncLocal<string> local = new();
        List<string?> seen = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(rules => rules.OnResult<int>(n =>
            {
                seen.Add($"rule {local.Value} {Activity.Current?.OperationName}");
                return n < 2 ? Verdict.Failure : null;
            }))
            .AddRetry(o =>
            {
                (o.BaseDelay, o.Budget) = (TimeSpan.Zero, RetryBudget.Unlimited);
                o.OnRetry = (_, _) => seen.Add($"retry {local.Value} {Activity.Current?.OperationName}");
            })
            .AddCircuitBreaker().Build();
        using Activity activity = new Activity("around").Start();
        local.Value = "mine";
        int attempts = 0;
        Queue<TaskCompletionSource> gates = new([new(), new()]);
        TaskCompletionSource[] all = [.. gates];
        ValueTask<int> call = pipeline.ExecuteAsync(async _ =>
        {
            seen.Add($"delegate {local.Value} {Activity.Current?.OperationName}");
            local.Value = "changed"; // stays in the delegate, which is an async method
            await gates.Dequeue().Task;
            return ++attempts;
        });
        foreach (TaskCompletionSource gate in all)
        {
            // Ended by a flow of its own, which knows neither the value nor the activity.
            await EndElsewhereAsync(gate);
        }

        (await call).Should().Be(2);
        local.Value.Should().Be("mine");
        Activity.Current.Should().Be(activity);
        seen.Should().Equal("delegate mine around", "rule mine around", "retry mine around", "delegate mine around", "rule mine around");
    }

    [Fact]
    public async Task A_callback_that_changes_the_context_does_not_change_that_of_the_thread_which_ended_the_delegate()
    {
        AsyncLocal<string> local = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(rules => rules.OnResult<int>(_ =>
            {
                local.Value = "of the rule";
                return null;
            })).AddRetry().Build();
        Later later = new();
        ValueTask<int> call = pipeline.ExecuteAsync(static (l, _) => l.Begin(), later);
        local.Value = "of the one who ends it";
        later.End(1);
        local.Value.Should().Be("of the one who ends it");
        (await call).Should().Be(1);
    }

    [Fact]
    public async Task Where_the_flow_of_the_context_is_suppressed_a_call_that_suspends_ends_all_the_same()
    {
        Later later = new();
        ValueTask<int> call;
        using (ExecutionContext.SuppressFlow()) call = Standard().ExecuteAsync(static (l, _) => l.Begin(), later);
        later.End(42);
        (await call).Should().Be(42);
    }

    /// <summary>Links of ours never throw, and no call pays for a belief that they might: 20 ns, measured.</summary>
    [Fact]
    public void What_a_link_throws_on_the_way_down_goes_to_the_caller_at_once()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Broken()).Build();
        Action call = () => pipeline.TryExecuteAsync(static _ => new ValueTask<int>(1)).AsTask();
        call.Should().Throw<NotSupportedException>();
        ResiliencePipeline next = new ResiliencePipelineBuilder().AddRetry().Build();
        next.ExecuteAsync(static _ => new ValueTask<int>(1)).Result.Should().Be(1);
    }

    private sealed class Broken : ResiliencePolicy
    {
        internal override bool NeverThrows => true;

        protected internal override PolicyLink<T> Bind<T>(PolicyLink<T> next) => new Link<T>();

        private sealed class Link<T> : PolicyLink<T>
        {
            public override ValueTask<Outcome<T>> ExecuteAsync(ResilienceContext context) => throw new NotSupportedException("planted");
        }
    }

    [Fact]
    public void What_a_call_was_about_is_not_kept_by_its_spare_objects()
    {
        ResiliencePipeline pipeline = Standard();
        SynchronizationContext.SetSynchronizationContext(null); // that of the test would send the end of a task to another thread
        WeakReference[] about = Run(pipeline);
        for (int i = 0; i < 10 && about.Any(a => a.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        about.Select(a => a.IsAlive).Should().AllBeEquivalentTo(false);
        GC.KeepAlive(pipeline);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference[] Run(ResiliencePipeline pipeline)
        {
            TaskCompletionSource<object> end = new();
            object result = new();
            ValueTask<object> call = pipeline.ExecuteAsync(static (e, _) => new ValueTask<object>(e.Task), end);
            end.SetResult(result);
            call.GetAwaiter().GetResult().Should().BeSameAs(result);
            return [new(end), new(result)];
        }
    }

    private static ResiliencePipeline Standard() => new ResiliencePipelineBuilder()
        .AddTimeout(TimeSpan.FromMinutes(1)).AddRetry(o => o.MaxRetries = 0).AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(30)).Build();

    private static async Task EndElsewhereAsync(TaskCompletionSource gate)
    {
        Task outcome;
        using (ExecutionContext.SuppressFlow()) outcome = Task.Run(gate.SetResult);
        await outcome;
    }
}
