using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instruments of retries and their budgets.</summary>
internal sealed class RetryTelemetry
{
    internal readonly Counter<long> Retries;
    internal readonly Counter<long> Denied;
    internal readonly Histogram<double> Delay;

    private readonly List<Watched> _budgets = [];
    private readonly Lock _gate = new(); // guards the budgets: touched when one is made and when somebody measures

    private RetryTelemetry(Meter meter)
    {
        Retries = meter.CreateCounter<long>("resilience.retries", "{retry}", "Retries scheduled, by what the attempt before ended with.");
        Denied = meter.CreateCounter<long>("resilience.retry.denied", "{retry}", "Failures that were not retried, by reason.");
        Delay = meter.CreateHistogram(
            "resilience.retry.delay", "s", "Waits before retries.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });
        meter.CreateObservableGauge(
            "resilience.retry.budget.balance", Measure, "{retry}", "Retries that could start at once, for each budget that has a name.");
    }

    internal static RetryTelemetry For(Meter meter) => MeterInstruments<RetryTelemetry>.For(meter, static m => new(m));

    /// <summary>Makes the balance visible as long as the budget is alive; the list holds it weakly.</summary>
    internal void Watch(RetryBudget budget, string name, string? pipelineName)
    {
        lock (_gate)
        {
            if (_budgets.Count == _budgets.Capacity) _budgets.RemoveAll(static w => !w.Budget.TryGetTarget(out _)); // before it grows
            _budgets.Add(new(new(budget), name, pipelineName));
        }
    }

    internal int WatchedCount
    {
        get
        {
            lock (_gate) return _budgets.Count;
        }
    }

    private List<Measurement<double>> Measure()
    {
        List<Measurement<double>> measured = [];
        Watched[] watched;
        lock (_gate)
        {
            _budgets.RemoveAll(static w => !w.Budget.TryGetTarget(out _));
            watched = [.. _budgets];
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
