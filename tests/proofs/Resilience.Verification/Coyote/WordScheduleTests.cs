using Microsoft.Coyote.Specifications;
using Resilience.Overload;

namespace Resilience.Verification.Coyote;

/// <summary>The other words that are changed without a lock, each in small scenarios whose schedules are all run.</summary>
public sealed class WordScheduleTests(ITestOutputHelper output)
{
    [CoyoteFact]
    public void Of_two_failures_that_count_and_then_sum_up_one_at_least_sees_both() => Exhaust(() =>
    {
        FailureWindow window = FailureWindow.OverTime(2);
        (int Calls, int Bad) first = default, second = default;
        Threads.Run(() => first = CountAndSum(window), () => second = CountAndSum(window));
        Specification.Assert(Math.Max(first.Bad, second.Bad) == 2, "the failures miss each other: {0} and {1}", first, second);
        Specification.Assert(window.Sum(7) == (2, 2), "of two failures {0} are in the window", window.Sum(7));
    }, Grain.Atomics); // a sum is twenty reads: too many steps to be ordered in every way

    [CoyoteFact]
    public void A_window_over_calls_loses_no_call_while_its_head_moves() => Exhaust(() =>
    {
        FailureWindow window = FailureWindow.OverCalls(3, 3);
        window.Record(0, false);
        Threads.Run(() => window.Record(0, true), () => window.Record(0, false));
        Specification.Assert(window.Sum(0) == (3, 1), "of three calls and one failure {0} are in the window", window.Sum(0));
    }, Grain.Atomics);

    [CoyoteFact]
    public void A_bucket_that_begins_afresh_takes_each_call_once() => Exhaust(() =>
    {
        FailureWindow window = FailureWindow.OverTime(2);
        window.Record(3, true);
        Threads.Run(() => window.Record(7, true), () => window.Record(7, false));
        Specification.Assert(window.Sum(7) == (2, 1), "of two calls and one failure {0} are in the window", window.Sum(7));
    });

    [CoyoteFact]
    public void A_run_is_completed_by_exactly_one_failure_and_is_final() => Exhaust(() =>
    {
        Held<FailureRun> held = new();
        int first = 0, second = 0;
        bool ended = false;
        held.Value.Extend(2, 2, Clock.Never, 0);
        Threads.Run(
            () => first = held.Value.Extend(2, 2, Clock.Never, 0),
            () =>
            {
                ended = held.Value.TryEnd(2);
                second = held.Value.Extend(2, 2, Clock.Never, 0);
            });
        int length = held.Value.Length;
        bool isWhole = (ended, first, second) switch
        {
            (false, 2, -1) => length == 2, // failure, success too late, failure too late
            (true, 2, 1) or (true, 1, 2) => length == 2, // the success came first, then both failures
            _ => false,
        };
        Specification.Assert(isWhole, "answers {0}, {1} and {2}, length {3}", first, ended, second, length);
    });

    [CoyoteFact]
    public void Of_two_last_failures_within_a_span_one_at_least_completes_the_run() => Exhaust(() =>
    {
        Held<FailureRun> held = new();
        int first = 0, second = 0;
        Threads.Run(() => first = held.Value.Extend(2, int.MaxValue, 100, 10), () => second = held.Value.Extend(2, int.MaxValue, 100, 20));
        Specification.Assert(Math.Max(first, second) == 2, "the answers are {0} and {1}", first, second);
    }, Grain.Atomics);

    [CoyoteFact]
    public void A_ring_of_times_that_grows_meanwhile_loses_none_of_them() => Exhaust(() =>
    {
        Held<FailureRun> held = new();
        int first = 0, second = 0;
        held.Value.Extend(1, int.MaxValue, 100, 0); // a ring for one
        Threads.Run(() => first = held.Value.Extend(3, int.MaxValue, 100, 10), () => second = held.Value.Extend(3, int.MaxValue, 100, 20));
        Specification.Assert(Math.Max(first, second) == 3, "the answers are {0} and {1}", first, second);
    }, Grain.Atomics);

    [CoyoteFact]
    public void A_failure_that_meets_a_change_of_the_window_is_in_the_new_one() => Exhaust(() =>
    {
        CircuitBreaker breaker = new(OfWindow(1000, 100), new ScenarioClock());
        Fail(breaker);
        Threads.Run(() => Fail(breaker), () => breaker.Update(OfWindow(3000, 100)));
        CircuitSnapshot seen = breaker.TakeSnapshot();
        Specification.Assert(seen is { Calls: 2, Failures: 2 }, "of two failures {0} are counted", seen.Failures);
    }, Grain.Atomics);

    [CoyoteFact]
    public void Failures_on_both_sides_of_a_change_of_the_window_do_not_miss_each_other() => Exhaust(() =>
    {
        CircuitBreaker breaker = new(OfWindow(1000, 2), new ScenarioClock());
        Threads.Run(() => Fail(breaker), () => Fail(breaker), () => breaker.Update(OfWindow(3000, 2)));
        Specification.Assert(breaker.State == CircuitState.Open, "two failures of two, and it is {0}", breaker.State);
    }, Grain.Atomics);

    /// <summary>As it was: the new window begins with the sums of the old one, and what is counted in the old one after that is lost.</summary>
    [CoyoteFact]
    public void A_window_that_is_replaced_by_its_sums_is_found()
    {
        Exploration found = Explorer.Exhaust(
            () =>
            {
                FailureWindow window = FailureWindow.OverTime(2);
                Threads.Run(
                    () => Volatile.Read(ref window).Record(7, true),
                    () =>
                    {
                        FailureWindow made = FailureWindow.OverTime(4);
                        for (int bad = Volatile.Read(ref window).Sum(7).Bad; bad > 0; bad--) made.Record(7, true);
                        Interlocked.Exchange(ref window, made);
                    });
                Specification.Assert(window.Sum(7).Bad == 1, "the failure was lost");
            },
            Grain.Volatiles,
            1000);
        output.WriteLine($"found after {found.Schedules} schedules");
        found.Flaw.Should().Contain("the failure was lost");
    }

    [CoyoteFact]
    public void A_call_that_meets_a_change_of_the_threshold_is_under_way_once() => Exhaust(() =>
    {
        ScenarioClock clock = new();
        CircuitBreaker breaker = new(OfThreshold(80), clock);
        breaker.TryEnter(out CircuitPermit before);
        CircuitPermit during = default;
        Threads.Run(
            () => breaker.TryEnter(out during),
            () =>
            {
                breaker.Update(OfThreshold(40));
                breaker.TryEnter(out CircuitPermit after);
                breaker.Exit(after, Verdict.Ignored);
            });
        clock.Advance(1000);
        int overdue = breaker.TakeSnapshot().OverdueCalls;
        Specification.Assert(overdue == 2, "two hang, {0} are overdue", overdue);
        breaker.Exit(before, Verdict.Ignored);
        breaker.Exit(during, Verdict.Ignored);
        overdue = breaker.TakeSnapshot().OverdueCalls;
        Specification.Assert(overdue == 0, "all have ended, {0} are overdue", overdue);
    }, Grain.Atomics);

    [CoyoteFact]
    public void Calls_in_flight_are_conserved_while_their_slot_is_taken_over() => Exhaust(() =>
    {
        CallsInFlight calls = new(80); // slots of 10 ms, 16 of them
        calls.Begin(5);
        Threads.Run(() => calls.End(5), () => calls.Begin(165));
        Specification.Assert(calls.Overdue(165) == 0, "{0} are overdue, and none is older than the threshold", calls.Overdue(165));
        calls.End(165);
        Specification.Assert(calls.Overdue(1000) == 0, "all have ended, {0} are overdue", calls.Overdue(1000));
    });

    [CoyoteFact]
    public void One_caller_per_slot_of_time_takes_the_trouble_to_look() => Exhaust(() =>
    {
        CallsInFlight calls = new(80);
        bool first = false, second = false;
        Threads.Run(() => first = calls.IsTimeToLook(5), () => second = calls.IsTimeToLook(5));
        Specification.Assert(first ^ second, "{0} and {1}", first, second);
    });

    [CoyoteFact]
    public void A_limit_is_kept_and_no_place_is_lost() => Exhaust(() =>
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        int inside = 0, max = 0;
        Threads.Run(Pass, Pass);
        Specification.Assert(max <= 1, "{0} were inside at once", max);
        Specification.Assert(limit.Running == 0 && limit.TryEnter(), "all have left, and {0} run", limit.Running);

        void Pass()
        {
            if (!limit.TryEnter()) return;
            max = Math.Max(max, Interlocked.Increment(ref inside));
            Interlocked.Decrement(ref inside);
            limit.Release();
        }
    });

    [CoyoteFact]
    public void A_limit_that_is_changed_meanwhile_keeps_the_places_that_are_taken() => Exhaust(() =>
    {
        ConcurrencyLimit limit = new(new() { MaxConcurrent = 1 });
        limit.TryEnter();
        bool entered = false;
        Threads.Run(
            () => limit.Limit = 2,
            () =>
            {
                entered = limit.TryEnter();
                limit.Release();
            });
        Specification.Assert(limit.Running == (entered ? 1 : 0), "entered: {0}, running: {1}", entered, limit.Running);
        Specification.Assert(limit.Limit == 2, "the limit is {0}", limit.Limit);
    });

    [CoyoteFact]
    public void An_adaptive_limit_is_kept_and_no_place_is_lost() => Exhaust(() =>
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 1, MaxLimit = 1 }, new ScenarioClock());
        int inside = 0, max = 0;
        Threads.Run(Pass, Pass);
        Specification.Assert(max <= 1, "{0} were inside at once", max);
        Specification.Assert(limit.Running == 0 && limit.TryEnter() is not null, "all have left, and {0} run", limit.Running);

        void Pass()
        {
            if (limit.TryEnter() is not { } permit) return;
            max = Math.Max(max, Interlocked.Increment(ref inside));
            Interlocked.Decrement(ref inside);
            limit.Leave(permit, Verdict.Success);
        }
    }, Grain.Atomics);

    /// <summary>One runs already, so who gets in gets in under the old limit of two: its latency must not count in the new epoch, whose limit is one.</summary>
    [CoyoteFact]
    public void A_call_of_the_old_limit_never_has_the_new_epoch() => Exhaust(() => BeginMeanwhile(static (_, permit) => permit.Epoch));

    [CoyoteFact]
    public void An_epoch_that_is_read_after_the_place_was_taken_is_found_wrong() =>
        Explorer.Exhaust(() => BeginMeanwhile(static (limit, _) => limit.Period.Epoch.Number), Grain.Volatiles, 20_000).Flaw.Should().NotBeNull();

    private static void BeginMeanwhile(Func<AdaptiveConcurrencyLimit, LimitPermit, int> epochOf)
    {
        AdaptiveConcurrencyLimit limit = new(new() { InitialLimit = 2 }, new ScenarioClock());
        limit.TryEnter(Criticality.CriticalPlus);
        int epoch = 1;
        Threads.Run(
            () => limit.Update(new() { Algorithm = LimitAlgorithm.Gradient, InitialLimit = 1, MinLimit = 1, MaxLimit = 1 }),
            () =>
            {
                if (limit.TryEnter(Criticality.CriticalPlus) is { } permit) epoch = epochOf(limit, permit);
            });
        Specification.Assert(epoch == 1, "a call of the old limit has epoch {0}", epoch);
    }

    private static CircuitBreakerOptions OfWindow(int ms, int minimum) =>
        new() { FailureRatio = 0.5, MinimumCalls = minimum, SamplingDuration = TimeSpan.FromMilliseconds(ms), BreakJitter = 0 };

    private static CircuitBreakerOptions OfThreshold(int ms) =>
        new() { SlowCallThreshold = TimeSpan.FromMilliseconds(ms), MinimumCalls = 100, BreakJitter = 0 };

    private static void Fail(CircuitBreaker breaker)
    {
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
    }

    private static (int Calls, int Bad) CountAndSum(FailureWindow window)
    {
        window.Record(7, true);
        return window.Sum(7);
    }

    private void Exhaust(Action scenario, Grain grain = Grain.Volatiles)
    {
        Exploration found = Explorer.Exhaust(scenario, grain, 20_000);
        output.WriteLine($"{found.Schedules:N0} schedules, {grain} are steps");
        found.Flaw.Should().BeNull();
        found.IsComplete.Should().BeTrue();
    }

    /// <summary>A mutable struct that threads share.</summary>
    private sealed class Held<T>
        where T : struct
    {
        internal T Value;
    }
}
