using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instruments of retries and their budgets.</summary>
internal static class RetryTelemetry
{
    internal static readonly Counter<long> Retries = ResilienceTelemetry.Meter.CreateCounter<long>(
        "resilience.retries", "{retry}", "Retries scheduled, by what the attempt before ended with.");

    internal static readonly Counter<long> Denied = ResilienceTelemetry.Meter.CreateCounter<long>(
        "resilience.retry.denied", "{retry}", "Failures that were not retried, by reason.");

    internal static readonly Histogram<double> Delay = ResilienceTelemetry.Meter.CreateHistogram(
        "resilience.retry.delay", "s", "Waits before retries.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });

    private static readonly List<Watched> Budgets = [];
    private static readonly Lock Gate = new(); // guards Budgets: touched when a budget is made and when somebody measures

    static RetryTelemetry() => ResilienceTelemetry.Meter.CreateObservableGauge(
        "resilience.retry.budget.balance", Measure, "{retry}", "Retries that could start at once, for each budget that has a name.");

    /// <summary>Makes the balance visible as long as the budget is alive; the list holds it weakly.</summary>
    internal static void Watch(RetryBudget budget, string name, string? pipelineName)
    {
        lock (Gate)
        {
            if (Budgets.Count == Budgets.Capacity) Budgets.RemoveAll(static w => !w.Budget.TryGetTarget(out _)); // before it grows
            Budgets.Add(new(new(budget), name, pipelineName));
        }
    }

    internal static int WatchedCount
    {
        get
        {
            lock (Gate) return Budgets.Count;
        }
    }

    private static List<Measurement<double>> Measure()
    {
        List<Measurement<double>> measured = [];
        Watched[] watched;
        lock (Gate)
        {
            Budgets.RemoveAll(static w => !w.Budget.TryGetTarget(out _));
            watched = [.. Budgets];
        }

        foreach (Watched one in watched) // outside the lock: a balance asks a clock that may be the user's
        {
            if (!one.Budget.TryGetTarget(out RetryBudget? budget)) continue;
            TagList tags = new() { { ResilienceTelemetry.PolicyTag, one.Name } };
            if (one.PipelineName is { } pipeline) tags.Add(ResilienceTelemetry.PipelineTag, pipeline);
            measured.Add(new(budget.Balance, tags));
        }

        return measured;
    }

    private readonly record struct Watched(WeakReference<RetryBudget> Budget, string Name, string? PipelineName);
}
