using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>The limits that are compared, by the names of the reference.</summary>
internal static class Limits
{
    internal const string Ours = "probed-gradient";

    internal static IReadOnlyList<(string Name, Func<EventWorld, Chance, Gate> Make)> All { get; } =
    [
        ("gradient2", static (world, _) => new Gradient2Limit(world)), ("vegas", static (world, chance) => new VegasLimit(world, chance)),
        ("aimd", static (world, _) => new AimdLimit(world)), ("envoy", static (world, chance) => new EnvoyLimit(world, chance)),
        ("failsafe", static (world, _) => new FailsafeLimit(world)), (Ours, Engine),
    ];

    /// <summary>The engine by latency, at a server. All calls are of one class, so the whole limit is theirs.</summary>
    internal static Gate Engine(EventWorld world, Chance chance) => new RealLimit(world, chance, Options());

    /// <summary>The same with the queue of the server: 64, or as many as may run.</summary>
    internal static Gate EngineWithQueue(EventWorld world, Chance chance)
    {
        AdaptiveConcurrencyLimitOptions options = Options();
        (options.MaxQueued, options.QueueFollowsLimit, options.MaxWait) = (64, true, TimeSpan.FromMilliseconds(100));
        return new RealLimit(world, chance, options);
    }

    /// <summary>The engine by signals, at one of many clients.</summary>
    internal static Gate Client(EventWorld world, Chance chance, int initialLimit, TimeSpan? target) => new RealLimit(
        world, chance, new() { Name = "client", Algorithm = LimitAlgorithm.Signals, InitialLimit = initialLimit, LatencyTarget = target });

    /// <summary>A plain model of the engine, with a fault.</summary>
    internal static Func<EventWorld, Chance, Gate> Faulty(ModelFaults faults) => (world, chance) => new ProbedGradientModel(world, chance, faults);

    private static AdaptiveConcurrencyLimitOptions Options() => new() { Name = "server", Algorithm = LimitAlgorithm.Gradient, CriticalShare = 1 };
}
