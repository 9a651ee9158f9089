namespace Resilience.Verification.Coyote;

public sealed class BreakerScheduleTests(ITestOutputHelper output)
{
    public static TheoryData<string> Situations => [.. Enum.GetNames<Situation>()];

    public static TheoryData<string> Flaws => [.. Enum.GetNames<Flaw>().Where(name => name != nameof(Flaw.None))];

    [CoyoteTheory]
    [MemberData(nameof(Situations))]
    public void Every_pair_of_operations_keeps_the_rules_in_every_order_of_its_atomic_steps(string situation) =>
        Explore(situation, "pairs", Scenario.Pairs, scenario =>
        {
            Exploration found = Explorer.Exhaust(scenario.Body(), Grain.Atomics, 100_000);
            if (found.Flaw is null) found.IsComplete.Should().BeTrue($"all schedules of {scenario} were run");
            return found;
        });

    /// <summary>Some threes have tens of thousands of schedules, so a deep run ends each at a bound, and an ordinary one draws a few.</summary>
    [CoyoteTheory]
    [MemberData(nameof(Situations))]
    public void Every_three_operations_keep_the_rules(string situation) =>
        Explore(situation, "threes", Scenario.Triples, static scenario => ExhaustOrSample(scenario, Grain.Atomics, 2000));

    [CoyoteTheory]
    [MemberData(nameof(Situations))]
    public void Pairs_keep_the_rules_when_volatile_reads_are_steps_too(string situation) =>
        Explore(situation, "pairs", Scenario.Pairs, static scenario => ExhaustOrSample(scenario, Grain.Volatiles, 300));

    [CoyoteTheory]
    [InlineData(3, Grain.Volatiles)]
    [InlineData(4, Grain.Volatiles)]
    [InlineData(3, Grain.Memory)]
    public void More_threads_keep_the_rules_in_schedules_at_random(int threads, object grain)
    {
        Random random = new(threads);
        int schedules = 0;
        for (int i = 0; i < Bounds.Of(25, 500); i++)
        {
            Situation situation = Enum.GetValues<Situation>()[random.Next(Enum.GetValues<Situation>().Length)];
            Operation[] operations = random.GetItems(Enum.GetValues<Operation>(), threads);
            Exploration found = Explorer.Sample(new Scenario(situation, operations).Body(), (Grain)grain, 12);
            found.Flaw.Should().BeNull();
            schedules += found.Schedules;
        }

        output.WriteLine($"{threads} threads: {schedules:N0} schedules");
    }

    [CoyoteTheory]
    [MemberData(nameof(Flaws))]
    public void A_planted_flaw_is_found(string flaw)
    {
        int schedules = 0;
        foreach (Scenario scenario in Enum.GetValues<Situation>().Where(IsKnownToPlanted).SelectMany(Scenario.Pairs))
        {
            Exploration found = Explorer.Exhaust((scenario with { Planted = Enum.Parse<Flaw>(flaw) }).Body(), Grain.Atomics, 1000);
            schedules += found.Schedules;
            if (found.Flaw is null) continue;
            output.WriteLine($"{flaw}: found after {schedules} schedules: {found.Flaw.Split('\n')[0]}");
            return;
        }

        Assert.Fail($"{flaw} was not found in {schedules} schedules: the check has no teeth");
    }

    /// <summary>In a deep run every schedule up to so many, otherwise a few at random.</summary>
    private static Exploration ExhaustOrSample(Scenario scenario, Grain grain, int max) =>
        Bounds.IsDeep ? Explorer.Exhaust(scenario.Body(), grain, max) : Explorer.Sample(scenario.Body(), grain, Bounds.Of(here: 1, inCi: 3, deep: 3));

    private void Explore(string situation, string what, Func<Situation, IEnumerable<Scenario>> scenariosOf, Func<Scenario, Exploration> explore)
    {
        int schedules = 0, scenarios = 0, complete = 0;
        foreach (Scenario scenario in scenariosOf(Enum.Parse<Situation>(situation)))
        {
            Exploration found = explore(scenario);
            found.Flaw.Should().BeNull();
            schedules += found.Schedules;
            complete += found.IsComplete ? 1 : 0;
            scenarios++;
        }

        output.WriteLine($"{situation}: {scenarios} {what}, {complete} of them completely, {schedules:N0} schedules");
    }

    /// <summary>The small breaker has one probe and no ramp.</summary>
    private static bool IsKnownToPlanted(Situation situation) => situation is not (Situation.TwoProbesOut or Situation.Ramping);
}
