using CsCheck;

namespace Resilience.Tests.ChaosPolicies;

/// <summary>The pure rules: laws over seeds and rates, each of which finds a planted flaw.</summary>
public sealed class ChaosRulesTests
{
    private const int Calls = 20_000;

    private delegate ChaosDecision Decider(long seed, long number, ChaosRates rates);

    private static readonly Decider Real = static (seed, number, rates) => ChaosRules.Decide(seed, number, rates);

    private static readonly ChaosRates Some = new() { Behaviour = 0.3, Latency = 0.2, Fault = 0.25, Result = 0.15, LostReply = 0.35 };

    /// <summary>Null when the law holds, or what broke it.</summary>
    private static string? RatesAreMet(Decider decide)
    {
        foreach (long seed in (long[])[0, 1, 2, -1, long.MaxValue])
        {
            ChaosDecision[] made = Sequence(decide, seed, Some);
            string? wrong = Off("behaviour", made.Count(d => d.Behaviour), Some.Behaviour) ?? Off("latency", made.Count(d => d.Latency), Some.Latency)
                ?? Off("fault", made.Count(d => d.Outcome == ChaosOutcome.Fault), Some.Fault)
                ?? Off("result", made.Count(d => d.Outcome == ChaosOutcome.Result), Some.Result)
                ?? Off("lost reply", made.Count(d => d.Outcome == ChaosOutcome.LostReply), Some.LostReply);
            if (wrong is not null) return $"seed {seed}: {wrong}";
        }

        return null;
    }

    private static string? KindsAreIndependent(Decider decide)
    {
        ChaosDecision[] made = Sequence(decide, 7, Some);
        return Off("behaviour and latency", made.Count(d => d.Behaviour && d.Latency), Some.Behaviour * Some.Latency)
            ?? Off("behaviour and fault", made.Count(d => d.Behaviour && d.Outcome == ChaosOutcome.Fault), Some.Behaviour * Some.Fault)
            ?? Off("latency and lost reply", made.Count(d => d.Latency && d.Outcome == ChaosOutcome.LostReply), Some.Latency * Some.LostReply)
            ?? Off("late in the first half", made.Count(d => d.Latency && d.LatencyShare < 0.5), Some.Latency * 0.5)
            ?? Off("two faults in a row", made.Zip(made.Skip(1)).Count(p => (p.First.Outcome, p.Second.Outcome) == (ChaosOutcome.Fault, ChaosOutcome.Fault)),
                Some.Fault * Some.Fault);
    }

    private static string? NeverAndAlways(Decider decide)
    {
        for (int kind = 0; kind < 5; kind++)
        {
            ChaosRates always = Only(kind, 1);
            for (long n = 0; n < 2000; n++)
            {
                if (!decide(3, n, default).IsNothing) return $"call {n} was disturbed at rate 0";
                if (!Did(decide(3, n, always), kind)) return $"call {n} was left alone at rate 1 of kind {kind}";
            }
        }

        return null;
    }

    /// <summary>Asked backwards, and in a crowd, the same calls get the same decisions.</summary>
    private static string? OrderDoesNotMatter(Decider decide)
    {
        ChaosDecision[] forwards = Sequence(decide, 11, Some);
        ChaosDecision[] backwards = new ChaosDecision[Calls];
        for (int n = Calls - 1; n >= 0; n--) backwards[n] = decide(11, n, Some);
        ChaosDecision[] crowd = new ChaosDecision[Calls];
        Parallel.For(0, Calls, new ParallelOptions { MaxDegreeOfParallelism = 4 }, n => crowd[n] = decide(11, n, Some));
        return forwards.SequenceEqual(backwards) && forwards.SequenceEqual(crowd) ? null : "the order changed decisions";
    }

    private static string? SeedsDiffer(Decider decide)
    {
        foreach (long other in (long[])[1, 2, 42])
        {
            int same = Sequence(decide, 0, Some).Zip(Sequence(decide, other, Some)).Count(p => p.First.Behaviour && p.Second.Behaviour);
            if (Off($"behaviour by seeds 0 and {other}", same, Some.Behaviour * Some.Behaviour) is { } wrong) return wrong;
        }

        return null;
    }

    private static ChaosDecision[] Sequence(Decider decide, long seed, ChaosRates rates) =>
        [.. Enumerable.Range(0, Calls).Select(n => decide(seed, n, rates))];

    /// <summary>Five standard deviations: with these fixed seeds the answer is always the same.</summary>
    private static string? Off(string what, int seen, double rate) =>
        Math.Abs(seen - (Calls * rate)) <= 5 * Math.Sqrt(Calls * rate * (1 - rate)) ? null : $"{what}: {seen} of {Calls} at rate {rate}";

    private static ChaosRates Only(int kind, double rate) => kind switch
    {
        0 => new() { Behaviour = rate },
        1 => new() { Latency = rate },
        2 => new() { Fault = rate },
        3 => new() { Result = rate },
        _ => new() { LostReply = rate },
    };

    private static bool Did(ChaosDecision decision, int kind) => kind switch
    {
        0 => decision.Behaviour,
        1 => decision.Latency,
        _ => decision.Outcome == (ChaosOutcome)(kind - 1),
    };

    [Fact]
    public void The_rates_are_met() => RatesAreMet(Real).Should().BeNull();

    [Fact]
    public void Kinds_and_neighbouring_calls_are_independent() => KindsAreIndependent(Real).Should().BeNull();

    [Fact]
    public void Rate_0_is_never_and_rate_1_is_always() => NeverAndAlways(Real).Should().BeNull();

    [Fact]
    public void The_order_of_the_calls_does_not_change_the_decisions() => OrderDoesNotMatter(Real).Should().BeNull();

    [Fact]
    public void Neighbouring_seeds_have_nothing_in_common() => SeedsDiffer(Real).Should().BeNull();

    [Fact]
    public void A_planted_cascade_in_which_one_outcome_takes_from_the_next_is_found() => RatesAreMet((seed, n, r) =>
    {
        ChaosDecision fault = Real(seed, n, new() { Fault = r.Fault, Behaviour = r.Behaviour, Latency = r.Latency });
        return fault.Outcome != ChaosOutcome.Own
            ? fault : fault with { Outcome = Real(~seed, n, new() { Result = r.Result, LostReply = r.LostReply }).Outcome };
    }).Should().StartWith("seed 0: result");

    [Fact]
    public void A_planted_single_draw_for_all_kinds_is_found() => KindsAreIndependent((seed, n, r) =>
    {
        double draw = new Random(unchecked((int)((seed * 31) + (n * 7919)))).NextDouble();
        return new(draw < r.Behaviour, draw < r.Latency, 0.25, draw < r.Fault ? ChaosOutcome.Fault : ChaosOutcome.Own);
    }).Should().StartWith("behaviour and latency");

    [Fact]
    public void A_planted_comparison_that_lets_0_happen_or_1_fail_is_found()
    {
        NeverAndAlways((_, n, r) => new(n % 1000 / 1000.0 <= r.Behaviour, false, 0, ChaosOutcome.Own)).Should().Be("call 0 was disturbed at rate 0");
        NeverAndAlways((seed, n, r) => n == 999 ? default : Real(seed, n, r)).Should().Be("call 999 was left alone at rate 1 of kind 0");
    }

    [Fact]
    public void A_planted_sequence_that_is_drawn_in_the_order_of_asking_is_found()
    {
        Randomness sequence = Randomness.Seeded(1);
        OrderDoesNotMatter((_, _, r) => new(sequence.NextDouble() < r.Behaviour, false, 0, ChaosOutcome.Own)).Should().NotBeNull();
    }

    [Fact]
    public void A_planted_disregard_of_the_seed_is_found() => SeedsDiffer((_, n, r) => Real(5, n, r)).Should().NotBeNull();

    [Fact]
    public void A_higher_rate_disturbs_every_call_that_a_lower_one_does() =>
        Gen.Select(Gen.Long, Gen.Long[0, long.MaxValue / 8], Gen.Double.Unit, Gen.Double.Unit, Gen.Int[0, 2]).Sample(
            (seed, n, a, b, kind) => !Did(Real(seed, n, Only(kind, Math.Min(a, b))), kind) || Did(Real(seed, n, Only(kind, Math.Max(a, b))), kind), iter: 5000);

    [Fact]
    public void Latencies_stay_in_their_range() =>
        Gen.Select(Gen.Long[10_000, TimeSpan.TicksPerDay], Gen.Long[10_000, TimeSpan.TicksPerDay], Gen.Double.Unit).Sample((a, b, share) =>
        {
            (TimeSpan min, TimeSpan max) = (TimeSpan.FromTicks(Math.Min(a, b)), TimeSpan.FromTicks(Math.Max(a, b)));
            TimeSpan latency = ChaosRules.LatencyOf(min, max, share);
            return latency >= min && latency <= max;
        }, iter: 2000);

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(0, 0.9)]
    [InlineData(9, 0.9)]
    [InlineData(10, 0)]
    [InlineData(19, 0)]
    [InlineData(20, 0.1)] // the second window has no rates of its own
    [InlineData(29, 0.1)]
    [InlineData(30, 0)]
    [InlineData(60, 0.9)]
    [InlineData(601, 0.9)]
    public void A_schedule_holds_in_its_windows_and_repeats(int second, double rate)
    {
        ChaosSchedule schedule = new ChaosSchedule { RepeatEvery = TimeSpan.FromMinutes(1) }
            .Window(TimeSpan.Zero, TimeSpan.FromSeconds(10), new() { Fault = 0.9 })
            .Window(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(10));
        ChaosRules.RatesAt(schedule.ToPlan(), second * 1000L, new() { Fault = 0.1 }).Fault.Should().Be(rate);
    }

    [Fact]
    public void A_schedule_that_is_not_repeated_ends()
    {
        ChaosPlan plan = new ChaosSchedule().Window(TimeSpan.Zero, TimeSpan.FromSeconds(10)).ToPlan();
        ChaosRules.RatesAt(plan, 9_999, new() { Fault = 1 }).Fault.Should().Be(1);
        ChaosRules.RatesAt(plan, 10_000, new() { Fault = 1 }).Fault.Should().Be(0);
        ChaosRules.RatesAt(plan, 60_000, new() { Fault = 1 }).Fault.Should().Be(0);
    }
}
