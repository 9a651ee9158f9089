using System.Collections.Concurrent;

namespace Resilience.Tests.Seams;

/// <summary>Policies that do what policies must not do. Whatever it is, each delegate runs for its own caller alone, and nothing of one call
/// reaches another.</summary>
public sealed class HostilePolicyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly ResilienceProperty<int> Stray = new("stray");

    public enum Fault
    {
        /// <summary>Races what it started against something else and does not wait for it: the first version that most people write.</summary>
        DoesNotWait,
        ThrowsAfterStarting,
        LetsGoOnTwiceAtOnce,
        AwaitsTwice,
        KeepsContextAndTouchesItLater,
        LeavesItsTokenBehind,
        LetsGoOnAfterTheEnd,
        LetsGoOnWithTheContextOfAnotherCall,
        EndsOnAnotherThread,
        AnswersNothing,
    }

    public enum Place
    {
        Outermost,
        AroundTheRetry,
        AroundTheTimeout,
        Innermost,
    }

    /// <summary>One policy of all faults. It remembers what it started, so that the test can wait until all of it is over.</summary>
    private sealed class Hostile(Fault fault) : SimplePolicy
    {
        private readonly ConcurrentQueue<ResilienceContext> _kept = [];

        public ConcurrentQueue<Task> Started { get; } = [];

        public bool IsTame { get; set; }

        public bool HasChangedAnEndedContext { get; private set; }

        protected override async ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            if (IsTame) return await next.ExecuteAsync(context);
            switch (fault)
            {
                case Fault.DoesNotWait:
                    _ = Start(next, context);
                    return Outcome.Failure<T>(new TimeoutException());
                case Fault.ThrowsAfterStarting:
                    _ = Start(next, context);
                    throw new IOException("policy");
                case Fault.LetsGoOnTwiceAtOnce:
                    Task<Outcome<T>> first = Start(next, context), second = Start(next, context);
                    await second;
                    return await first;
                case Fault.AwaitsTwice:
                    ValueTask<Outcome<T>> running = next.ExecuteAsync(context);
                    Outcome<T> once = await running;
                    Started.Enqueue(Swallowed(running));
                    return once;
                case Fault.KeepsContextAndTouchesItLater:
                    foreach (ResilienceContext kept in _kept) Touch(kept);
                    _kept.Enqueue(context);
                    break;
                case Fault.LeavesItsTokenBehind:
                    Outcome<T> ended = await next.ExecuteAsync(context);
                    context.CancellationToken = new(true);
                    context.ForbidRetry("for ever");
                    return ended;
                case Fault.LetsGoOnAfterTheEnd:
                    Started.Enqueue(Later(next, context));
                    break;
                case Fault.LetsGoOnWithTheContextOfAnotherCall:
                    _kept.TryDequeue(out ResilienceContext? former);
                    _kept.Enqueue(context);
                    if (former is not null) await next.ExecuteAsync(former);
                    break;
                case Fault.EndsOnAnotherThread:
                    Outcome<T> elsewhere = await next.ExecuteAsync(context);
                    return await Task.Run(() => elsewhere);
                case Fault.AnswersNothing:
                    await next.ExecuteAsync(context);
                    return default;
            }

            return await next.ExecuteAsync(context);
        }

        private Task<Outcome<T>> Start<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Task<Outcome<T>> running = next.ExecuteAsync(context).AsTask();
            Started.Enqueue(running);
            return running;
        }

        private static async Task Swallowed<T>(ValueTask<Outcome<T>> again)
        {
            try
            {
                await again;
            }
            catch (InvalidOperationException)
            {
                // the runtime tells who awaits twice
            }
        }

        private static async Task Later<T>(PolicyLink<T> next, ResilienceContext context)
        {
            await Until(() => context.HasEnded);
            await next.ExecuteAsync(context);
        }

        /// <summary>Only contexts of calls that have ended: with those that it serves at this moment a policy may do all that a policy may.</summary>
        private void Touch(ResilienceContext kept)
        {
            if (!kept.HasEnded) return;
            Action[] touches = [() => kept.CancellationToken = new(true), () => kept.Set(Stray, 1), () => kept.ForbidRetry("for ever")];
            foreach (Action touch in touches)
            {
                try
                {
                    touch();
                    HasChangedAnEndedContext = true;
                }
                catch (ObjectDisposedException)
                {
                    // as it should be
                }
            }
        }
    }

    /// <summary>What went from one call to another.</summary>
    private sealed class Crossings
    {
        private readonly AsyncLocal<int> _caller = new();
        private readonly ConcurrentQueue<string> _seen = [];

        public string[] Seen => [.. _seen.Distinct()];

        /// <summary>One caller: several calls, one after the other. Its delegate fails at first, so that retries have something to do.</summary>
        public async Task CallAsync(int caller, bool suspends, Func<Func<CancellationToken, ValueTask<int>>, ValueTask<Outcome<int>>> run)
        {
            for (int call = 0; call < 8; call++)
            {
                int id = (caller * 100) + call + 1;
                _caller.Value = id;
                int attempts = 0;
                bool isOver = false;
                Outcome<int> outcome = await run(async token =>
                {
                    if (_caller.Value != id) _seen.Enqueue("a delegate ran for another caller");
                    if (token.IsCancellationRequested && !Volatile.Read(ref isOver)) _seen.Enqueue("a call was cancelled although no token was");
                    if (suspends) await Task.Yield();
                    if (Interlocked.Increment(ref attempts) == 1) throw new IOException();
                    return id;
                });
                Volatile.Write(ref isOver, true);
                if (outcome.Verdict == Verdict.None) _seen.Enqueue("a call ended with nothing");
                if (outcome.HasResult && outcome.Value != id) _seen.Enqueue("a caller got the result of another");
            }
        }
    }

    private static async Task<string[]> RunAsync(Hostile hostile, bool suspends, Func<Func<CancellationToken, ValueTask<int>>, ValueTask<Outcome<int>>> run)
    {
        Crossings crossings = new();
        await Task.WhenAll(Enumerable.Range(0, 3).Select(caller => Task.Run(() => crossings.CallAsync(caller, suspends, run)))).WaitAsync(Patience);
        while (hostile.Started.TryDequeue(out Task? left)) await left.WaitAsync(Patience);
        return hostile.HasChangedAnEndedContext ? [.. crossings.Seen, "the context of a call that had ended could be changed"] : crossings.Seen;
    }

    private static void Retry(RetryOptions options) =>
        (options.MaxRetries, options.BaseDelay, options.BudgetOptions) = (2, TimeSpan.FromMilliseconds(1), new() { MinRetriesPerSecond = 1000 });

    private static ResiliencePipeline Build(ResiliencePolicy hostile, Place place)
    {
        ResiliencePipelineBuilder builder = new() { Name = "p" };
        if (place == Place.Outermost) builder.AddPolicy(hostile);
        builder.AddTimeout(TimeSpan.FromSeconds(50)).AddConcurrencyLimit(100);
        if (place == Place.AroundTheRetry) builder.AddPolicy(hostile);
        builder.AddRetry(Retry).AddCircuitBreaker(o => o.FailureRatio = 1);
        if (place == Place.AroundTheTimeout) builder.AddPolicy(hostile);
        builder.AddTimeout(TimeSpan.FromSeconds(20));
        if (place == Place.Innermost) builder.AddPolicy(hostile);
        return builder.Build();
    }

    public static TheoryData<Fault, Place, bool> All()
    {
        TheoryData<Fault, Place, bool> all = [];
        foreach (Fault fault in Enum.GetValues<Fault>())
        {
            // Of two calls that it serves at this moment, a policy can mix up the contexts; of one that has ended it cannot use it: see below.
            if (fault == Fault.LetsGoOnWithTheContextOfAnotherCall) continue;
            foreach (Place place in Enum.GetValues<Place>())
            {
                all.Add(fault, place, true);
                all.Add(fault, place, false);
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Whatever_a_policy_does_nothing_of_one_call_reaches_another(Fault fault, Place place, bool suspends)
    {
        Hostile hostile = new(fault);
        ResiliencePipeline pipeline = Build(hostile, place);
        (await RunAsync(hostile, suspends, callback => pipeline.TryExecuteAsync(callback))).Should().BeEmpty();
        pipeline.Find<ConcurrencyLimit>()!.Running.Should().Be(0, "every place has come back");
        CircuitSnapshot circuit = pipeline.Find<CircuitBreaker>()!.TakeSnapshot();
        (circuit.ProbesOut, circuit.OverdueCalls).Should().Be((0, 0));
    }

    private static async Task<int> RunsOfTheSecondAsync(Hostile hostile, Func<Func<CancellationToken, ValueTask<int>>, ValueTask<Outcome<int>>> run)
    {
        TaskCompletionSource<int> first = new(), second = new();
        (await run(_ => new ValueTask<int>(first.Task))).Exception.Should().BeOfType<TimeoutException>();
        hostile.IsTame = true;
        int runs = 0;
        Task<Outcome<int>> other = run(_ =>
        {
            Interlocked.Increment(ref runs);
            return new ValueTask<int>(second.Task);
        }).AsTask();
        first.SetException(new IOException()); // what the first call left behind is repeated now
        Task all = Task.WhenAll(hostile.Started);
        await Task.WhenAny(all, Until(() => Volatile.Read(ref runs) > 1)).WaitAsync(Patience);
        second.SetResult(2);
        (await other.WaitAsync(Patience)).Value.Should().Be(2);
        await all.WaitAsync(Patience);
        return runs;
    }

    private static async Task Until(Func<bool> condition)
    {
        for (DateTime end = DateTime.UtcNow + Patience; !condition() && DateTime.UtcNow < end;) await Task.Delay(1);
    }

    [Fact]
    public async Task A_policy_that_does_not_wait_never_runs_the_delegate_of_another_caller_and_is_reported()
    {
        using CallbackErrors errors = new();
        Hostile hostile = new(Fault.DoesNotWait);
        ResiliencePipeline pipeline = Build(hostile, Place.AroundTheRetry);
        (await RunsOfTheSecondAsync(hostile, callback => pipeline.TryExecuteAsync(callback))).Should().Be(1);
        errors.Seen.Should().Contain("policy policy (Hostile)");
    }

    /// <summary>The bug that the guards are against: the link of the policy without them, and the context of the call in its hands.</summary>
    [Fact]
    public async Task The_check_finds_a_policy_that_is_not_guarded()
    {
        Hostile hostile = new(Fault.DoesNotWait);
        CallInstruments instruments = CallInstruments.For(ResilienceTelemetry.Meter);
        RetryOptions options = new();
        Retry(options);
        RetryPolicy retry = new(options, PolicyEnvironment.Standalone("retry"));
        Chain<int> unguarded = new(
            hostile.Bind(retry.Bind(AttemptLink<int>.Make("", OutcomeClassifier.Default, instruments))),
            new("", Clock.System, instruments),
            OutcomeClassifier.Default);
        (await RunsOfTheSecondAsync(hostile, callback => unguarded.TryRun(new Invocation<int>(callback), default))).Should().BeGreaterThan(1);
    }

    [Fact]
    public async Task An_async_policy_that_throws_before_it_waits_is_answered_at_once()
    {
        ResiliencePipeline pipeline = Build(new Hostile(Fault.ThrowsAfterStarting), Place.Outermost);
        TaskCompletionSource<int> end = new();
        ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(_ => new ValueTask<int>(end.Task));
        call.IsCompleted.Should().BeTrue("nothing is left to wait for, and no other thread is needed");
        (await call).Exception.Should().BeOfType<IOException>();
        end.SetResult(1);
    }

    [Theory]
    [InlineData(Fault.LetsGoOnTwiceAtOnce)]
    [InlineData(Fault.LetsGoOnAfterTheEnd)]
    [InlineData(Fault.LetsGoOnWithTheContextOfAnotherCall)]
    [InlineData(Fault.ThrowsAfterStarting)]
    [InlineData(Fault.DoesNotWait)]
    public async Task A_policy_in_error_is_reported_by_its_name(Fault fault)
    {
        using CallbackErrors errors = new();
        Hostile hostile = new(fault);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(hostile).Build();
        for (int i = 0; i < 2; i++)
        {
            TaskCompletionSource<int> end = new();
            Task<Outcome<int>> call = pipeline.TryExecuteAsync(_ => new ValueTask<int>(end.Task)).AsTask();
            end.SetResult(1);
            await call.WaitAsync(Patience);
        }

        while (hostile.Started.TryDequeue(out Task? left)) await left.WaitAsync(Patience);
        errors.Seen.Should().Contain("policy policy (Hostile)");
    }
}
