using System.Threading.Tasks.Sources;
using Microsoft.Coyote.Specifications;

namespace Resilience.Verification.Coyote;

/// <summary>A delegate ends on another thread while its call comes up, pushes frames, is subscribed, and is given back to be used again: in every order
/// of the steps the frames have their turn once, innermost first, and each call gets its own result.</summary>
public sealed class SuspensionScheduleTests(ITestOutputHelper output)
{
    private const int Frames = 3;

    [CoyoteFact]
    public void A_delegate_that_ends_while_the_call_comes_up_ends_the_call_once() => Explore(OneCall, () => new RealCalls());

    [CoyoteFact]
    public void Two_calls_of_which_each_thread_ends_the_other_get_their_own_results() => Explore(TwoCalls, () => new RealCalls());

    [CoyoteFact]
    public void A_suspension_that_is_used_again_at_once_is_not_touched_by_the_call_before() => Explore(OneCallAfterTheOther, () => new RealCalls());

    [CoyoteTheory]
    [InlineData(SuspensionFlaw.OutermostFirst, "turns")]
    [InlineData(SuspensionFlaw.SubscribedTooEarly, "turns")]
    [InlineData(SuspensionFlaw.TouchedAfterCompletion, "turns")]
    public void A_planted_suspension_is_found(SuspensionFlaw flaw, string complaint)
    {
        Exploration found = Explorer.Exhaust(() => OneCallAfterTheOther(new PlantedCalls(flaw)), Grain.Volatiles, 10_000);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain(complaint);
    }

    [CoyoteFact]
    public void The_twin_without_a_flaw_is_found_to_be_right() => Explore(OneCallAfterTheOther, () => new PlantedCalls(SuspensionFlaw.None));

    public enum SuspensionFlaw
    {
        None,
        OutermostFirst,
        SubscribedTooEarly,
        TouchedAfterCompletion,
    }

    private void Explore(Action<ICalls> scenario, Func<ICalls> make)
    {
        foreach (Grain grain in new[] { Grain.Atomics, Grain.Volatiles })
        {
            Exploration found = Explorer.Exhaust(() => scenario(make()), grain, Bounds.Of(1000, 100_000), flows: true);
            output.WriteLine($"{grain}: {found.Schedules:N0} schedules{(found.IsComplete ? ", no other exists" : "")}");
            found.Flaw.Should().BeNull();
        }

        Exploration sampled = Explorer.Sample(() => scenario(make()), Grain.Memory, Bounds.Of(300, 30_000), flows: true);
        sampled.Flaw.Should().BeNull();
    }

    private static void OneCall(ICalls calls)
    {
        Gate gate = new();
        Turns turns = new();
        Threads.Run(() => calls.Begin(gate, turns), () => gate.End(7));
        calls.Check(gate, turns, 7);
    }

    private static void TwoCalls(ICalls calls)
    {
        Gate first = new(), second = new();
        Turns turnsOfFirst = new(), turnsOfSecond = new();
        Threads.Run(
            () =>
            {
                calls.Begin(first, turnsOfFirst);
                second.End(2);
            },
            () =>
            {
                calls.Begin(second, turnsOfSecond);
                first.End(1);
            });
        calls.Check(first, turnsOfFirst, 1);
        calls.Check(second, turnsOfSecond, 2);
    }

    private static void OneCallAfterTheOther(ICalls calls)
    {
        Gate first = new(), second = new();
        Turns turnsOfFirst = new(), turnsOfSecond = new();
        Threads.Run(
            () =>
            {
                calls.Begin(first, turnsOfFirst);
                calls.AwaitAndThen(first, () => calls.Begin(second, turnsOfSecond));
                second.End(2);
            },
            () => first.End(1));
        calls.CheckTurns(turnsOfFirst);
        calls.Check(second, turnsOfSecond, 2);
    }

    /// <summary>Calls with some frames, each from one gate.</summary>
    private interface ICalls
    {
        void Begin(Gate gate, Turns turns);

        /// <summary>Takes the result of a call that has ended or will, and goes on at once.</summary>
        void AwaitAndThen(Gate gate, Action goOn);

        /// <summary>The call has ended with this result.</summary>
        void Check(Gate gate, Turns turns, int result);

        void CheckTurns(Turns turns)
        {
            Specification.Assert(turns.Text == "210", "the turns were {0}", turns.Text);
        }
    }

    /// <summary>In which order the frames had their turn.</summary>
    private sealed class Turns
    {
        internal string Text { get; private set; } = "";

        internal void Add(int frame) => Text += frame;
    }

    /// <summary>What a delegate returns: it ends on the thread that ends it, or on the one that subscribes too late.</summary>
    private sealed class Gate : IValueTaskSource<int>
    {
        private static readonly object Over = new();
        private object? _subscriber;
        private int _result;

        internal Task<Outcome<int>>? Call;
        internal Twin? Twin;

        internal void End(int result)
        {
            _result = result;
            if (Interlocked.Exchange(ref _subscriber, Over) is Action subscriber) subscriber();
        }

        internal void Subscribe(Action subscriber)
        {
            if (Interlocked.CompareExchange(ref _subscriber, subscriber, null) is not null) subscriber();
        }

        public int GetResult(short token) => _result;

        public ValueTaskSourceStatus GetStatus(short token) =>
            Volatile.Read(ref _subscriber) == Over ? ValueTaskSourceStatus.Succeeded : ValueTaskSourceStatus.Pending;

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            Subscribe(() => continuation(state));
    }

    /// <summary>Through a limit, a retry and a breaker, whose counts tell whether each had its turn, once. (Links of this assembly cannot be used: the
    /// rewriting makes no valid program of what calls into the other one and gets a value task.)</summary>
    private sealed class RealCalls : ICalls
    {
        private readonly ConcurrencyLimit _limit = new(new() { MaxConcurrent = 2 });
        private readonly CircuitBreaker _breaker = new(new());
        private readonly RetryBudget _budget = new();
        private int _calls;

        public void Begin(Gate gate, Turns turns)
        {
            Interlocked.Increment(ref _calls);
            gate.Call = Run(
                new ResiliencePipelineBuilder().AddConcurrencyLimit(_limit).AddRetry(o => o.Budget = _budget).AddCircuitBreaker(_breaker).Build(), gate);
        }

        private static Task<Outcome<int>> Run(ResiliencePipeline pipeline, Gate gate) =>
            pipeline.TryExecuteAsync(static (g, _) => new ValueTask<int>(g, 0), gate).AsTask();

        /// <summary>A result that is not there yet is awaited by looking: the runtime would send the rest to its pool, which is not scheduled here.</summary>
        public void AwaitAndThen(Gate gate, Action goOn)
        {
            if (gate.Call!.IsCompleted) Specification.Assert(gate.Call.Result.Value == 1, "the result was {0}", gate.Call.Result.Value);
            goOn();
        }

        public void Check(Gate gate, Turns turns, int result)
        {
            Task<Outcome<int>> call = gate.Call!;
            Specification.Assert(HasEnded(call), "the call has not ended");
            int seen = call.Result.Value;
            Specification.Assert(seen == result, "the result was {0}", seen);
            Specification.Assert(_limit.Running == 0, "{0} places are taken", _limit.Running);
            Specification.Assert(_breaker.TakeSnapshot().Calls == _calls, "the breaker counted {0} of {1} calls", _breaker.TakeSnapshot().Calls, _calls);
        }

        void ICalls.CheckTurns(Turns turns)
        {
        }

        /// <summary>Where the call ends while it is being subscribed to, the runtime completes the task on its thread pool, which is not scheduled here: then it
        /// is looked at some billion times. (By a loop of the framework, and without a closure, so that no look is a step.)</summary>
        private static bool HasEnded(Task<Outcome<int>> call) => call.IsCompleted || Enumerable.Repeat(call, int.MaxValue).Any(static c => c.IsCompleted);
    }

    /// <summary>The protocol in twenty lines, with one suspension that is used again and again, and a flaw.</summary>
    private sealed class PlantedCalls(SuspensionFlaw flaw) : ICalls
    {
        private readonly Twin _spare = new(flaw);

        public void Begin(Gate gate, Turns turns)
        {
            Twin twin = _spare.TryRent() ? _spare : new(flaw);
            gate.Twin = twin;
            twin.Run(gate, turns);
        }

        public void AwaitAndThen(Gate gate, Action goOn) => gate.Twin!.Await(goOn);

        public void Check(Gate gate, Turns turns, int result) => ((ICalls)this).CheckTurns(turns);
    }

    private sealed class Twin(SuspensionFlaw flaw)
    {
        private readonly List<int> _frames = [];
        private Turns _turns = new();
        private object? _waiter;
        private int _rented;

        internal bool TryRent() => Interlocked.CompareExchange(ref _rented, 1, 0) == 0;

        internal void Run(Gate gate, Turns turns)
        {
            _turns = turns;
            Volatile.Write(ref _waiter, null);
            if (flaw == SuspensionFlaw.SubscribedTooEarly) gate.Subscribe(Resume);
            for (int i = Frames - 1; i >= 0; i--) Push(i);
            if (flaw != SuspensionFlaw.SubscribedTooEarly) gate.Subscribe(Resume);
        }

        private void Push(int frame)
        {
            Volatile.Read(ref _waiter); // a step at which the others may come between
            _frames.Add(frame);
        }

        internal void Await(Action goOn)
        {
            if (Interlocked.CompareExchange(ref _waiter, goOn, null) is not null) goOn();
        }

        private void Resume()
        {
            int[] frames = [.. _frames];
            if (flaw == SuspensionFlaw.OutermostFirst) Array.Reverse(frames);
            foreach (int frame in frames) _turns.Add(frame);
            if (flaw != SuspensionFlaw.TouchedAfterCompletion) _frames.Clear();
            Volatile.Write(ref _rented, 0);
            object? waiter = Interlocked.CompareExchange(ref _waiter, this, null);
            if (waiter is Action goOn) goOn();
            if (flaw == SuspensionFlaw.TouchedAfterCompletion) _frames.Clear();
        }
    }
}
