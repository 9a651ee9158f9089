global using Resilience.Testing;
namespace Resilience.Simulations;

/// <summary>What one seed draws: the shape of the pipeline, every option, the load and the faults.</summary>
internal sealed class Scenario
{
    internal static readonly TimeSpan FaultsEnd = TimeSpan.FromSeconds(120);
    internal static readonly TimeSpan RunEnds = TimeSpan.FromSeconds(300);

    private readonly Random _random;

    internal Scenario(int seed)
    {
        Seed = seed;
        _random = new(seed);
        Total = Maybe(0.7, () => Ms(500, 20_000));
        Attempt = Maybe(0.7, () => Ms(200, 5_000));
        Retry = Maybe(0.85, DrawRetry);
        Budget = Retry is null ? null : Maybe(0.7, DrawBudget);
        Breaker = Maybe(0.7, DrawBreaker);
        Limit = Maybe(0.4, DrawLimit);
        Clients = Chance(0.5) ? _random.Next(1, 30) : 0;
        PerSecond = _random.Next(1, 40);
        CancelRate = Chance(0.3) ? _random.NextDouble() * 0.2 : 0;
        BugRate = Chance(0.3) ? _random.NextDouble() * 0.1 : 0;
        Faults = [.. Enumerable.Range(0, _random.Next(1, 6)).Select(_ => DrawFault()).OrderBy(f => f.At)];
        ClockSteps = [.. Enumerable.Range(0, _random.Next(0, 4)).Select(_ => (Seconds(0, 200), TimeSpan.FromSeconds(_random.Next(-100_000, 100_000))))];
        UpdateAt = Maybe(0.3, () => Seconds(5, 100));
        HasKeys = Chance(0.3);
        Hedging = DrawHedging(new(seed ^ 0x48ED6E)); // a generator of its own: what was drawn above stays what it was
        Chaos = Chance(0.3) ? DrawChaos() : null;
    }

    internal int Seed { get; }

    internal TimeSpan? Total { get; }

    internal TimeSpan? Attempt { get; }

    internal RetryOptions? Retry { get; }

    internal HedgingOptions? Hedging { get; }

    internal RetryBudgetOptions? Budget { get; }

    internal CircuitBreakerOptions? Breaker { get; }

    internal ConcurrencyLimitOptions? Limit { get; }

    internal int Clients { get; }

    internal double PerSecond { get; }

    internal double CancelRate { get; }

    internal double BugRate { get; }

    internal IReadOnlyList<(TimeSpan At, DependencyBehaviour Behaviour)> Faults { get; }

    internal IReadOnlyList<(TimeSpan At, TimeSpan By)> ClockSteps { get; }

    internal TimeSpan? UpdateAt { get; }

    /// <summary>Calls carry idempotency keys, a few calls each.</summary>
    internal bool HasKeys { get; }

    /// <summary>Chaos of the library's own, until the faults end. No latency: between breaker and dependency nothing must wait.</summary>
    internal ChaosRates? Chaos { get; }

    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    internal static DependencyBehaviour Healthy { get; } = new() { Latency = TimeSpan.FromMilliseconds(5) };

    /// <summary>The same pipeline can be built twice, for a live update: options are copied as they are.</summary>
    internal ResiliencePipelineBuilder Build(ResiliencePipelineBuilder builder)
    {
        if (Total is { } total) builder.AddTimeout(new TimeoutOptions { Name = "total", Timeout = total });
        if (Retry is { } retry)
        {
            retry.Budget = Budget is null ? RetryBudget.Unlimited : null;
            retry.BudgetOptions = Budget;
            builder.AddRetry(retry);
        }

        if (Hedging is { } hedging)
        {
            hedging.Budget = Budget is null ? RetryBudget.Unlimited : null;
            hedging.BudgetOptions = Budget;
            builder.AddHedging(hedging);
        }

        if (Limit is { } limit) builder.AddConcurrencyLimit(limit);
        if (Breaker is { } breaker) builder.AddCircuitBreaker(breaker);
        if (Attempt is { } attempt) builder.AddTimeout(new TimeoutOptions { Name = "attempt", Timeout = attempt });
        if (Chaos is { } rates) builder.AddChaos(new ChaosOptions { EnvironmentName = "Development", Rates = rates, Seed = Seed });
        return builder;
    }

    /// <summary>How long after the last fault every call must end well again: what the breaker may still have to wait, several times over
    /// because a probe may meet the end of a fault.</summary>
    internal TimeSpan RecoveryBound => TimeSpan.FromSeconds(30) + ((Breaker?.MaxBreakDuration ?? default) + (Breaker?.ProbeLease ?? default)
        + (Breaker?.RampDuration ?? default)) * 1.5;

    private RetryOptions DrawRetry() => new()
    {
        MaxRetries = _random.Next(1, 8),
        BaseDelay = Ms(1, 500),
        MaxDelay = Ms(500, 10_000),
        Factor = 1.1 + _random.NextDouble() * 3,
        BackoffKind = (BackoffKind)_random.Next(Enum.GetValues<BackoffKind>().Length),
        Jitter = (BackoffJitter)_random.Next(Enum.GetValues<BackoffJitter>().Length),
    };

    private static HedgingOptions? DrawHedging(Random random) => random.NextDouble() >= 0.3 ? null : new()
    {
        MaxAttempts = random.Next(1, 5),
        Delay = random.Next(10) switch
        {
            0 => TimeSpan.Zero,
            1 => Timeout.InfiniteTimeSpan,
            _ => TimeSpan.FromMilliseconds(random.Next(1, 2_000)),
        },
        Route = random.Next(2) == 0 ? null : static (_, number) => number < 3,
    };

    private RetryBudgetOptions DrawBudget() => new()
    {
        Ratio = Math.Round(_random.NextDouble(), 2),
        MinRetriesPerSecond = _random.Next(0, 5),
        Window = Seconds(1, 30),
    };

    private CircuitBreakerOptions DrawBreaker()
    {
        bool inRow = Chance(0.5);
        TimeSpan breakDuration = Ms(100, 5_000);
        CircuitBreakerOptions options = new()
        {
            ConsecutiveFailures = inRow ? _random.Next(1, 10) : null,
            FailureRatio = inRow ? null : 0.1 + _random.NextDouble() * 0.9,
            MinimumCalls = _random.Next(1, 20),
            SamplingDuration = Seconds(1, 30),
            BreakDuration = breakDuration,
            BreakGrowth = 1 + _random.NextDouble(),
            MaxBreakDuration = breakDuration * (1 + _random.NextDouble() * 4),
            BreakJitter = _random.NextDouble() * 0.5,
            Probes = _random.Next(1, 4),
            ProbeLease = Seconds(1, 40),
            RampDuration = Chance(0.4) ? Seconds(1, 10) : TimeSpan.Zero,
        };
        if (Chance(0.3)) options.SlowCallThreshold = Ms(100, 2_000);
        if (Chance(0.2)) options.SamplingCalls = _random.Next(20, 100);
        return options;
    }

    private ChaosRates DrawChaos()
    {
        double fault = _random.NextDouble() * 0.5;
        return new() { Fault = fault, LostReply = _random.NextDouble() * (1 - fault) };
    }

    private ConcurrencyLimitOptions DrawLimit() => new() { MaxConcurrent = _random.Next(1, 20), MaxQueued = _random.Next(0, 40), MaxWait = Ms(10, 5_000) };

    private (TimeSpan At, DependencyBehaviour Behaviour) DrawFault()
    {
        double failing = Chance(0.7) ? _random.NextDouble() : 0, hanging = HasTimeout && Chance(0.3) ? _random.NextDouble() * (1 - failing) * 0.5 : 0;
        double lost = Chance(0.3) ? _random.NextDouble() * (1 - failing - hanging) : 0;
        return (Seconds(1, 110), new()
        {
            Latency = Ms(1, 2_000),
            Spread = (LatencySpread)_random.Next(3),
            FailureRate = failing,
            HangRate = hanging,
            LostReplyRate = lost,
            Capacity = Chance(0.3) ? _random.Next(1, 50) : null,
            MaxQueued = Chance(0.5) ? _random.Next(0, 100) : null,
        });
    }

    /// <summary>Without any timeout a call whose reply never comes hangs, as it should.</summary>
    private bool HasTimeout => Total is not null || Attempt is not null;

    private bool Chance(double share) => _random.NextDouble() < share;

    private T? Maybe<T>(double share, Func<T> draw) where T : class => Chance(share) ? draw() : null;

    private TimeSpan? Maybe(double share, Func<TimeSpan> draw) => Chance(share) ? draw() : null;

    private TimeSpan Ms(int min, int max) => TimeSpan.FromMilliseconds(_random.Next(min, max));

    private TimeSpan Seconds(int min, int max) => TimeSpan.FromSeconds(_random.Next(min, max));
}
