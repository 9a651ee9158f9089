using static Resilience.StormLab.Story;

namespace Resilience.StormLab;

/// <summary>What to change next, by rules over the numbers of a run. The rules stand in docs/tuning.md.</summary>
public static class Hints
{
    /// <summary>From this share of its capacity on, a service has nothing to recover with.</summary>
    internal const double Full = 0.85;

    private static readonly Func<StormRun, string?>[] Rules =
    [
        Capacity, Unbounded, Floor, NoBreaker, SilentBreaker, Relapses, LongBreak, ShortTimeout, LongTimeout, NoDeadline, NoJitter, Queue, NoRetryNeeded,
    ];

    /// <summary>The hints for one run, the most pressing first.</summary>
    public static IReadOnlyList<string> For(StormRun run) => [.. Rules.Select(rule => rule(run)).OfType<string>()];

    private static string? Capacity(StormRun run) => run.Plan.Load > Full * run.Plan.Capacity
        ? Text($"The usual load is {run.Plan.Load / run.Plan.Capacity:P0} of what the service can serve. No setting helps where nothing is to ")
            + "spare: add capacity, or shed load."
        : null;

    private static string? Unbounded(StormRun run) => run.Settings.Retry?.Budget?.IsUnlimited is true && run.Peak.Amplification > 1.5
        ? Text($"Retry:Budget: {run.Peak.Amplification:0.0} requests for each call at the peak, and no budget. Ratio 0.1 would keep it near 1.1.")
        : null;

    private static string? Floor(StormRun run) => RetryBound.Of(run.Settings, run.Plan.Clients) is { } bound && bound.PerSecond > 0.1 * run.Plan.Capacity
        ? Text($"Retry:Budget:MinRetriesPerSecond: it is granted to each client, and {run.Plan.Clients} of them make {bound.PerSecond:0.#} retries a second, ")
            + Text($"{bound.PerSecond / run.Plan.Capacity:P0} of the capacity. Divide it by the number of clients.")
        : null;

    private static string? NoBreaker(StormRun run) => run.Settings.CircuitBreaker is null && run.Trouble.SuccessShare < 0.5
        ? Text($"CircuitBreaker: there is none, and {run.Trouble.Load:0} requests a second are sent in the trouble, when {run.Trouble.SuccessShare:P0} of ")
            + "the calls end well. A breaker stops sending them."
        : null;

    private static string? SilentBreaker(StormRun run)
    {
        if (run.Settings.CircuitBreaker is not { } options || run.Openings > 0) return null;
        double inWindow = run.Plan.Load / run.Plan.Clients * options.SamplingDuration.TotalSeconds;
        if (options.SamplingCalls is null && inWindow < options.MinimumCalls)
        {
            return Text($"CircuitBreaker:MinimumCalls is {options.MinimumCalls}, but a client makes only {inWindow:0.#} calls in its window of ")
                + Text($"{Span(options.SamplingDuration)}: it can never open. ")
                + Text($"Lower it to {Math.Max(3, Math.Floor(inWindow / 2)):0}, or lengthen SamplingDuration.");
        }

        return run.Trouble.SuccessShare < 0.5
            ? Text($"CircuitBreaker: it never opens, though only {run.Trouble.SuccessShare:P0} of the calls end well in the trouble. Lower ")
                + "FailureRatio or SamplingDuration, or add SlowCallThreshold."
            : null;
    }

    private static string? Relapses(StormRun run) => run.Openings > 6 * run.Plan.Clients
        ? Text($"CircuitBreaker:BreakDuration: each circuit opens {(double)run.Openings / run.Plan.Clients:0.0} times. Lengthen the break or set ")
            + "RampDuration, so that closing does not bring all clients back at once."
        : null;

    private static string? LongBreak(StormRun run)
    {
        double after = run.After.Rejected / Math.Max(1, run.After.Calls);
        return run.Recovery is not null && run.Settings.CircuitBreaker is not null && after > 0.05
            ? Text($"CircuitBreaker: {after:P0} of the calls after the trouble are rejected by us. A shorter BreakDuration, MaxBreakDuration or ")
                + "RampDuration lets them in sooner; see that the service bears it."
            : null;
    }

    private static string? ShortTimeout(StormRun run) => run.Settings.AttemptTimeout is { } timeout && timeout < run.Calm.P99 * 1.5
        ? Text($"AttemptTimeout is {Span(timeout)}, and on an ordinary day 99 % of the calls take up to {Span(run.Calm.P99)}: healthy requests ")
            + "are cut off. Two to three times the p99 is usual."
        : null;

    private static string? LongTimeout(StormRun run)
    {
        if (run.Calm.P99 == TimeSpan.Zero) return null;
        if (run.Settings.AttemptTimeout is not { } timeout) return "AttemptTimeout: there is none. A request that is never answered holds its caller for ever.";
        return timeout > run.Calm.P99 * 8
            ? Text($"AttemptTimeout is {Span(timeout)}, {timeout / run.Calm.P99:0} times the p99 of an ordinary day ({Span(run.Calm.P99)}). ")
                + "Callers wait long for what will not come."
            : null;
    }

    private static string? NoDeadline(StormRun run) => run.Settings is { TotalTimeout: null, Retry: not null }
        ? "TotalTimeout: there is none, so a call may take all its attempts and waits together. Set what a caller is willing to wait."
        : null;

    private static string? NoJitter(StormRun run) =>
        run.Settings.Retry is { Jitter: BackoffJitter.None, MaxRetries: not 0, BackoffKind: not BackoffKind.Decorrelated }
        ? "Retry:Jitter is None: clients that fail together come back together. Full spreads them."
        : null;

    private static string? Queue(StormRun run)
    {
        int max = run.Seconds.Max(s => s.Waiting);
        TimeSpan wait = TimeSpan.FromSeconds(max / run.Plan.Capacity);
        if (run.Settings.AttemptTimeout is not { } timeout || wait <= timeout || run.Settings.ConcurrencyLimit is not null) return null;
        double needed = run.Plan.Load / run.Plan.Clients * run.Calm.P99.TotalSeconds;
        return Text($"ConcurrencyLimit: up to {max:N0} requests wait at the service, {Span(wait)} of work, longer than the {Span(timeout)} that ")
            + "callers wait. "
            + Text($"By Little's law a client needs {Math.Ceiling(needed):0} at once on an ordinary day (its ")
            + Text($"{run.Plan.Load / run.Plan.Clients:0.#} calls a second × p99); a limit of twice that bounds what can pile up.");
    }

    private static string? NoRetryNeeded(StormRun run) => run.Settings.Retry is null && run.Calm.SuccessShare < 0.999 && run.Calm.Calls > 0
        ? Text($"Retry: there is none, and {1 - run.Calm.SuccessShare:P1} of the calls fail on an ordinary day. One or two retries with a budget ")
            + "would hide them."
        : null;
}
