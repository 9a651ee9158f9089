using System.Collections.Concurrent;

namespace Resilience.Tests.CircuitBreaking;

/// <summary>Real threads on real code. Each check is shown a planted defect that it must find.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class BreakerConcurrencyTests
{
    private static readonly TimeSpan Break = TimeSpan.FromSeconds(5);

    private static int Rounds(int usual) => Environment.GetEnvironmentVariable("RESILIENCE_DEEP") == "1" ? usual * 20 : usual;

    private static CircuitBreakerOptions Options(int failures = 2, int probes = 1) => new()
    {
        FailureRatio = null,
        ConsecutiveFailures = failures,
        Probes = probes,
        BreakDuration = Break,
        BreakGrowth = 1,
        BreakJitter = 0,
        ProbeLease = TimeSpan.FromDays(1),
    };

    private enum Do
    {
        Enter,
        Succeed,
        Fail,
        Ignore,
    }

    private readonly record struct Call(Do What, long Epoch);

    private readonly record struct Answer(int Code, long Epoch);

    private readonly record struct Model(CircuitState State, long Epoch, int Failures, int Out, long Now, long Until);

    private static (Model Next, Answer Result) Step(Model m, Call call)
    {
        switch (call.What)
        {
            case Do.Enter when m.State == CircuitState.Closed:
                return (m, new((int)CircuitAdmission.Admitted, m.Epoch));
            case Do.Enter when m.State == CircuitState.Open && m.Now < m.Until:
                return (m, new((int)CircuitAdmission.RejectedOpen, 0));
            case Do.Enter when m.State == CircuitState.Open:
                return (new(CircuitState.HalfOpen, m.Epoch + 1, 0, 1, m.Now, 0), new((int)CircuitAdmission.AdmittedAsProbe, m.Epoch + 1));
            case Do.Enter:
                return m.Out == 0
                    ? (m with { Out = 1 }, new((int)CircuitAdmission.AdmittedAsProbe, m.Epoch)) : (m, new((int)CircuitAdmission.RejectedProbesTaken, 0));
        }

        if (call.Epoch != m.Epoch || call.Epoch == 0) return (m, new((int)CircuitExit.Stale, 0));
        if (call.What == Do.Ignore) return (m.State == CircuitState.HalfOpen ? m with { Out = 0 } : m, new((int)CircuitExit.Released, 0));
        Answer counted = new((int)CircuitExit.Counted, 0);
        if (m.State == CircuitState.HalfOpen)
            return call.What == Do.Succeed ? (new(CircuitState.Closed, m.Epoch + 1, 0, 0, m.Now, 0), counted) : (Opened(m), counted);
        if (call.What == Do.Succeed) return (m with { Failures = 0 }, counted);
        return (m.Failures + 1 >= 2 ? Opened(m) : m with { Failures = m.Failures + 1 }, counted);
    }

    private static Model Opened(Model m) => new(CircuitState.Open, m.Epoch + 1, 0, 0, m.Now, m.Now + 5);

    [Fact]
    public void Every_history_of_real_threads_is_linearizable()
    {
        long histories = Histories(Rounds(60_000), time => new RealBreaker(Options(), time), out string? unexplained);
        unexplained.Should().BeNull();
        histories.Should().BeGreaterThanOrEqualTo(60_000);
    }

    [Theory]
    [InlineData(Defect.None, false)]
    [InlineData(Defect.LostUpdate, true)]
    [InlineData(Defect.TwoProbes, true)]
    [InlineData(Defect.LoserPasses, true)]
    internal void The_linearizability_check_finds_planted_defects_and_only_those(Defect defect, bool found)
    {
        // With a defect the search ends at the first find; the bound is for a defect that is never found, which fails the test.
        Histories(found ? 3_000_000 : 30_000, time => new PlantedBreaker(defect, time), out string? unexplained);
        (unexplained is not null).Should().Be(found, "the history is {0}", unexplained);
    }

    private static long Histories(int rounds, Func<TimeProvider, IBreaker> make, out string? unexplained)
    {
        const int Threads = 2, Each = 4;
        Random[] random = [new(1), new(2)];
        Observed<Call, Answer>[] history = new Observed<Call, Answer>[Threads * Each];
        ManualTime time = null!;
        IBreaker breaker = null!;
        Model start = default;
        int clock = 0;
        long seen = 0;
        string? found = null;
        try
        {
            Together.Run(Threads, rounds, Prepare, Act, Check);
        }
        catch (FoundException)
        {
            // the search has ended
        }

        unexplained = found;
        return seen;

        // Two thirds of the histories begin where it is dangerous: open with the break over, or half open with a lost probe.
        // Time stands still within a history: a reading of the clock is a step of its own, and the model has no such step.
        void Prepare(int round)
        {
            time = new();
            breaker = make(time);
            clock = 0;
            start = new(CircuitState.Closed, 1, 0, 0, 0, 0);
            if (round % 3 == 0) return;
            for (int i = 0; i < 2; i++)
            {
                object permit = breaker.Enter().Permit!;
                start = Step(start, new(Do.Fail, breaker.EpochOf(permit))).Next;
                breaker.Exit(permit, Verdict.Failure);
            }

            time.Advance(Break);
            start = start with { Now = start.Now + 5 };
            if (round % 3 == 1) return;
            breaker.Enter();
            start = Step(start, new(Do.Enter, 0)).Next;
            breaker.Exit(null, Verdict.Failure); // a result without a permit: must change nothing
        }

        void Act(int thread, int round)
        {
            object? permit = null;
            long epoch = 0;
            for (int i = 0; i < Each; i++)
            {
                Do what = (Do)(i == 0 ? 0 : random[thread].Next(4));
                Call call = new(what, what == Do.Enter ? 0 : epoch);
                int invoked = Interlocked.Increment(ref clock);
                Answer answer = default;
                switch (what)
                {
                    case Do.Enter:
                        (CircuitAdmission entry, object? given) = breaker.Enter();
                        answer = new((int)entry, given is null ? 0 : breaker.EpochOf(given));
                        permit = given;
                        epoch = answer.Epoch;
                        break;
                    default:
                        answer = new((int)breaker.Exit(permit, what switch { Do.Succeed => Verdict.Success, Do.Fail => Verdict.Failure, _ => Verdict.Ignored }),
                            0);
                        permit = null;
                        epoch = 0;
                        break;
                }

                history[(thread * Each) + i] = new(thread, invoked, Interlocked.Increment(ref clock), call, answer);
            }
        }

        void Check(int round)
        {
            seen++;
            if (Linearizability.Explains(history, start, Step)) return;
            found = $"from {start}: {string.Join("; ", history)}";
            throw new FoundException();
        }
    }

    private sealed class FoundException : Exception;

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void D5_exactly_the_permitted_probes_run_when_many_threads_meet_a_due_circuit(int probes)
    {
        ManualTime time = new();
        RealBreaker breaker = null!;
        int sent = 0;
        Together.Run(8, Rounds(400), _ =>
        {
            breaker = OpenAndDue(time, probes);
            sent = 0;
        }, (_, _) =>
        {
            for (int i = 0; i < 4; i++)
            {
                if (breaker.Enter().Entry == CircuitAdmission.AdmittedAsProbe) Interlocked.Increment(ref sent);
            }
        }, _ => sent.Should().Be(probes));
    }

    private static RealBreaker OpenAndDue(ManualTime time, int probes)
    {
        RealBreaker breaker = new(Options(1, probes), time);
        breaker.Exit(breaker.Enter().Permit, Verdict.Failure);
        time.Advance(Break);
        return breaker;
    }

    [Theory]
    [InlineData("in a row")]
    [InlineData("in a row within a span")]
    [InlineData("ratio over time")]
    [InlineData("ratio over calls")]
    public void No_failure_is_lost_when_as_many_threads_fail_as_it_takes_to_open(string rule)
    {
        const int Threads = 4;
        CircuitBreakerOptions options = Options(Threads);
        if (rule == "in a row within a span") options.ConsecutiveFailuresWithin = TimeSpan.FromSeconds(1);
        if (rule.StartsWith("ratio", StringComparison.Ordinal))
        {
            options.ConsecutiveFailures = null;
            options.FailureRatio = 1;
            options.MinimumCalls = Threads;
            options.SamplingCalls = rule == "ratio over calls" ? 100 : null;
        }

        NoFailureIsLost(Rounds(3_000), () => new RealBreaker(options, new ManualTime()), Threads).Should().BeTrue();
    }

    [Fact]
    public void The_check_for_lost_failures_finds_a_lost_update() =>
        NoFailureIsLost(200_000, () => new PlantedBreaker(Defect.LostUpdate, new ManualTime()), 2).Should().BeFalse();

    private static bool NoFailureIsLost(int rounds, Func<IBreaker> make, int threads)
    {
        IBreaker breaker = null!;
        object?[] permits = new object?[threads];
        bool lost = false;
        Together.Run(threads, rounds, _ =>
        {
            if (lost) return;
            breaker = make();
            for (int i = 0; i < threads; i++) permits[i] = breaker.Enter().Permit;
        }, (thread, _) =>
        {
            if (!lost) breaker.Exit(permits[thread], Verdict.Failure);
        }, _ => lost |= breaker.State != CircuitState.Open);
        return !lost;
    }

    [Fact]
    public void Each_change_is_reported_once_in_order_and_no_half_open_epoch_sends_more_probes_than_it_may()
    {
        const int Threads = 4, Probes = 2;
        ManualTime time = new();
        ConcurrentQueue<CircuitChanged> heard = new();
        CircuitBreakerOptions options = Options(2, Probes);
        options.OnChange = heard.Enqueue;
        options.ProbeLease = TimeSpan.FromSeconds(60); // one permit in fifty is never given back
        RealBreaker breaker = new(options, time);
        ConcurrentDictionary<long, int> probes = new();
        Random[] random = [.. Enumerable.Range(0, Threads).Select(i => new Random(i))];
        Together.Run(Threads, Rounds(2_000), _ => { }, (thread, _) =>
        {
            Random r = random[thread];
            for (int i = 0; i < 10; i++)
            {
                (CircuitAdmission entry, object? permit) = breaker.Enter();
                if (entry == CircuitAdmission.AdmittedAsProbe) probes.AddOrUpdate(breaker.EpochOf(permit!), 1, (_, n) => n + 1);
                if (r.Next(4) == 0) time.Advance(Break);
                if (permit is not null && r.Next(50) != 0) breaker.Exit(permit, r.Next(3) == 0 ? Verdict.Failure : Verdict.Success);
            }
        }, _ => { });

        CircuitChanged[] changes = [.. heard];
        changes.Should().HaveCountGreaterThan(100, "the storm must have opened and closed the circuit");
        changes.Select(c => c.Epoch).Should().Equal(Enumerable.Range(2, changes.Length).Select(i => (long)i));
        for (int i = 1; i < changes.Length; i++) changes[i].From.Should().Be(changes[i - 1].To);
        changes.Should().OnlyContain(c => IsLegal(c.From, c.To));
        probes.Values.Should().OnlyContain(n => n >= 1 && n <= Probes);
    }

    private static bool IsLegal(CircuitState from, CircuitState to) => (from, to) is
        (CircuitState.Closed, CircuitState.Open) or (CircuitState.Open, CircuitState.HalfOpen)
        or (CircuitState.HalfOpen, CircuitState.HalfOpen) // lost probes given up
        or (CircuitState.HalfOpen, CircuitState.Open) or (CircuitState.HalfOpen, CircuitState.Closed);

    [Theory]
    [InlineData(Defect.None, true)]
    [InlineData(Defect.ImpureEffect, false)]
    internal void An_effect_inside_the_loop_is_found_by_counting_events(Defect defect, bool clean)
    {
        bool agree = true;
        PlantedBreaker breaker = null!;
        object?[] permits = new object?[2];
        Together.Run(2, clean ? 20_000 : 500_000, _ =>
        {
            if (!agree) return;
            breaker = new(defect, new ManualTime());
            breaker.Exit(breaker.Enter().Permit, Verdict.Failure);
            permits[0] = breaker.Enter().Permit;
            permits[1] = breaker.Enter().Permit;
        }, (thread, _) =>
        {
            if (agree) breaker.Exit(permits[thread], Verdict.Failure);
        }, _ => agree &= breaker.Events == breaker.Changes);
        agree.Should().Be(clean);
    }

    [Fact]
    public void A_listener_may_use_and_change_the_breaker_and_events_stay_in_order()
    {
        ManualTime time = new();
        List<CircuitState> heard = [];
        CircuitBreaker breaker = null!;
        CircuitBreakerOptions options = Options(1);
        options.OnChange = change =>
        {
            heard.Add(change.To);
            _ = breaker.State;
            _ = breaker.TakeSnapshot();
            if (change.To == CircuitState.Open) breaker.Close();
        };
        breaker = new(options, time);
        breaker.TryEnter(out CircuitPermit permit);
        breaker.Exit(permit, Verdict.Failure);
        heard.Should().Equal(CircuitState.Open, CircuitState.Closed);
        breaker.State.Should().Be(CircuitState.Closed);
    }
}
