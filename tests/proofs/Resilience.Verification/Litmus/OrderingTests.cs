using System.Runtime.InteropServices;
using Resilience.Verification.Coyote;

namespace Resilience.Verification.Litmus;

/// <summary>The orderings that the comments of src/Resilience.Core claim, on the real processor: what may be seen, and what must not.</summary>
/// <remarks>Outside of an exploration Coyote's scheduling points let everything pass: these are real threads. With -p:Coyote=false they are faster.</remarks>
public sealed class OrderingTests(ITestOutputHelper output)
{
    private static readonly int Rounds = Bounds.Of(100, 1000);

    [Fact]
    public void Teeth_with_volatile_accesses_two_writers_do_miss_each_other()
    {
        const string missed = "0 0";
        SortedDictionary<string, long> seen = LitmusRun.Of<Crossing>(
            20_000,
            s => { Volatile.Write(ref s.X, 1); s.First = Volatile.Read(ref s.Y); },
            s => { Volatile.Write(ref s.Y, 1); s.Second = Volatile.Read(ref s.X); },
            s => $"{s.First} {s.Second}",
            stopAt: missed);
        Tell(seen);
        seen.Should().ContainKey(missed, "this harness must be able to see a store that is still in its buffer");
    }

    [Fact]
    public void With_an_exchange_they_do_not() => Expect<Crossing>(
        s => { Interlocked.Exchange(ref s.X, 1); s.First = Volatile.Read(ref s.Y); },
        s => { Interlocked.Exchange(ref s.Y, 1); s.Second = Volatile.Read(ref s.X); },
        s => $"{s.First} {s.Second}",
        "0 1", "1 0", "1 1");

    [Fact]
    public void Two_failures_that_count_and_then_sum_up_cannot_both_miss_the_other() => Expect<Windows>(
        s => { s.Window.Record(7, true); s.First = s.Window.Sum(7).Bad; },
        s => { s.Window.Record(7, true); s.Second = s.Window.Sum(7).Bad; },
        s => $"{s.First} {s.Second}",
        "1 2", "2 1", "2 2");

    [Fact]
    public void Two_last_failures_within_a_span_cannot_both_miss_the_others_time() => Expect<Runs>(
        s => s.First = s.Run.Extend(2, int.MaxValue, 100, 10) == 2 ? 1 : 0,
        s => s.Second = s.Run.Extend(2, int.MaxValue, 100, 20) == 2 ? 1 : 0,
        s => $"{s.First} {s.Second}",
        "0 1", "1 0", "1 1");

    [Fact]
    public void An_epoch_that_is_seen_is_whole() => Expect<Breakers>(
        s => s.Breaker.Isolate(),
        s =>
        {
            CircuitAdmission answer = s.Breaker.TryEnter(out _, out CircuitRejection? rejection);
            s.Second = answer == CircuitAdmission.Admitted ? 0 : rejection is { State: CircuitState.Isolated } ? 1 : 2;
        },
        s => $"{s.Second}",
        "0", "1");

    [Fact]
    public void Two_changes_at_once_are_both_reported_in_order() => Expect<Breakers>(
        s => s.Breaker.Isolate(),
        s => s.Breaker.Close(),
        s => string.Join(' ', s.Told),
        "2 3", "3"); // closed first, it was no change: the number is passed over

    [Fact]
    public void Settings_that_are_seen_are_one_set() => Expect<Breakers>(
        s => s.Breaker.Update(Breakers.Other()),
        s => s.Breaker.Exit(s.Permit, Verdict.Failure),
        s => $"{s.Breaker.State}",
        "Closed", "Open");

    [Fact]
    public void What_was_done_in_a_place_is_visible_to_who_gets_it_next() => Expect<Places>(
        s => { s.Data = 1; s.Limit.Release(); },
        s => s.Second = s.Limit.TryEnter() ? s.Data : 2,
        s => $"{s.Second}",
        "1", "2");

    [Fact]
    public void A_budget_that_is_renewed_is_whole_and_keeps_its_token() => Expect<Budgets>(
        s => s.Budget.Update(new() { Ratio = 1, MinRetriesPerSecond = 1, Window = TimeSpan.FromSeconds(1) }),
        s => s.Second = (s.Budget.TryWithdraw() ? 1 : 0) + (s.Budget.TryWithdraw() ? 1 : 0),
        s => $"{s.Second} {s.Budget.Balance}",
        "1 0");

    private void Expect<TState>(Action<TState> first, Action<TState> second, Func<TState, string> observe, params string[] acceptable)
        where TState : class, new()
    {
        SortedDictionary<string, long> seen = LitmusRun.Of(Rounds, first, second, observe);
        Tell(seen);
        seen.Keys.Should().BeSubsetOf(acceptable, "everything else is forbidden");
    }

    private void Tell(SortedDictionary<string, long> seen) =>
        output.WriteLine(string.Join("   ", seen.Select(outcome => $"[{outcome.Key}] {outcome.Value:N0}")));

    // X and Y on cache lines of their own, so that each store waits for its own.
    [StructLayout(LayoutKind.Explicit, Size = 384)]
    private sealed class Crossing
    {
        [FieldOffset(0)]
        internal int X;

        [FieldOffset(128)]
        internal int Y;

        [FieldOffset(256)]
        internal int First;

        [FieldOffset(320)]
        internal int Second;
    }

    private sealed class Windows
    {
        internal readonly FailureWindow Window = FailureWindow.OverTime(2);
        internal int First;
        internal int Second;
    }

    private sealed class Runs
    {
        internal FailureRun Run;
        internal int First;
        internal int Second;
    }

    private sealed class Places
    {
        internal readonly ConcurrencyLimit Limit = new(new() { MaxConcurrent = 1 });
        internal int Data;
        internal int Second;

        public Places() => Limit.TryEnter();
    }

    private sealed class Budgets
    {
        internal readonly RetryBudget Budget =
            new(new() { Ratio = 0.5, MinRetriesPerSecond = 1, Window = TimeSpan.FromSeconds(1) }, new ScenarioClock());
        internal int Second;
    }

    private sealed class Breakers
    {
        internal readonly CircuitBreaker Breaker;
        internal readonly CircuitPermit Permit;
        internal readonly List<long> Told = [];
        internal int Second;

        public Breakers()
        {
            Breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1, OnChange = change => Told.Add(change.Epoch) }, new ScenarioClock());
            Breaker.TryEnter(out Permit);
        }

        internal static CircuitBreakerOptions Other() => new() { FailureRatio = null, ConsecutiveFailures = 5 };
    }
}
