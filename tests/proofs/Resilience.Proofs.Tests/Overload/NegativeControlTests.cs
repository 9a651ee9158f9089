using Resilience.Experiments;

namespace Resilience.Tests.Overload;

/// <summary>What the bars are worth: each of these limits has a fault that is known, and must fail the bar that is there for it.</summary>
public sealed class NegativeControlTests
{
    private const double Long = 1200;

    [Fact]
    public void The_model_without_a_fault_reaches_what_the_engine_reaches()
    {
        Func<EventWorld, Chance, Gate> sound = Limits.Faulty(new());
        Bars.Triple(sound, 1, 600, isFixed: false).Should().BeNull();
        Bars.Triple(sound, 1, 600, isFixed: true).Should().BeNull();
        Bars.ManyServers(sound, 1).Should().BeNull();
        Bars.TwoASecond(sound, 1).Should().BeNull();
    }

    [Fact]
    public void Gradient2_drifts() => Fails(seed => Bars.Triple(static (world, _) => new Gradient2Limit(world), seed, Long, isFixed: false), "p99");

    [Fact]
    public void Aimd_that_sees_no_drops_drifts() => Fails(seed => Bars.Triple(static (world, _) => new AimdLimit(world), seed, Long, isFixed: false), "p99");

    [Fact]
    public void A_probe_at_too_large_a_part_of_the_limit_measures_its_own_queue() =>
        Fails(seed => Bars.Triple(Limits.Faulty(new() { ProbeFraction = 0.7 }), seed, Long, isFixed: true), "p99"); // 1.5 × 0.7 = 1.05

    [Fact]
    public void Samples_from_before_a_probe_raise_the_baseline_with_each_probe() =>
        Fails(seed => Bars.Triple(Limits.Faulty(new() { IgnoresEpochs = true }), seed, 3600, isFixed: false), "mean limit");

    [Fact]
    public void A_probe_that_ends_with_its_hundredth_sample_sees_only_the_short_calls() =>
        Fails(seed => Bars.ManyServers(Limits.Faulty(new() { ProbesByCount = true }), seed), "a second");

    [Fact]
    public void The_least_latency_of_few_calls_is_noise() =>
        Fails(seed => Bars.TwoASecond(Limits.Faulty(new() { TakesLeastLatency = true }), seed), "fell to");

    [Fact]
    public void One_controlled_delay_for_all_classes_makes_the_highest_pay()
    {
        Fails(seed => Priorities(QueueOrder.OneDelay, seed), "highest");
        Priorities(QueueOrder.DelayForEachClass, 1).Should().BeNull("with a delay for each class the same queue passes");

        static string? Priorities(QueueOrder order, long seed) =>
            Bars.Priorities((world, _) => new ClassQueueModel(world, 30, order), seed, 300, isFixed: false, Scenarios.UsualClasses, 0.99);
    }

    [Fact]
    public void A_throttle_that_counts_what_it_rejects_itself_collapses()
    {
        ThrottledLoad literal = ThrottledLoad.Run(600, 100, 1, static (world, chance) => new LiteralThrottle(world, chance), AcceptsTwoFifths);
        ThrottledLoad ours = ThrottledLoad.Run(
            600, 100, 1, static (world, chance) => new RealThrottle(world, chance, new() { Name = "ours" }), AcceptsTwoFifths);
        literal.SentPerSecond(300, 600).Should().BeLessThan(3, "of 100 a second, 40 of which would be accepted");
        ours.SentPerSecond(300, 600).Should().BeApproximately(80, 8, "1 - K·s is rejected, with K = 2 and s = 0.4");

        static bool AcceptsTwoFifths(int second, long accepted, double drawn) => drawn < 0.4;
    }

    private static void Fails(Func<long, string?> bar, string why) =>
        Enumerable.Range(1, 3).Select(seed => bar(seed)).Should().Contain(problem => problem != null && problem.Contains(why));
}
