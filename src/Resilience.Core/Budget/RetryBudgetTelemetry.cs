using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience;

/// <summary>The instrument of retry budgets.</summary>
internal sealed class RetryBudgetTelemetry : IObserved
{
    private readonly WatchList<RetryBudget> _budgets = new();

    private RetryBudgetTelemetry()
    {
    }

    public void Observe(Meter meter) => SafeInstruments.Gauge(
        meter, "resilience.retry.budget.balance", Measure, "{retry}", "Retries that could start at once, for each budget that has a name.");

    internal static RetryBudgetTelemetry For(Meter meter) => MeterInstruments<RetryBudgetTelemetry>.For(meter, static _ => new());

    /// <summary>Makes the balance visible as long as the budget is alive.</summary>
    internal void Watch(RetryBudget budget) => _budgets.Add(budget);

    internal void Unwatch(RetryBudget budget) => _budgets.Remove(budget);

    internal int WatchedCount => _budgets.Count;

    private List<Measurement<double>> Measure()
    {
        Dictionary<(string? Policy, string? Pipeline), double> balances = [];
        foreach (RetryBudget budget in _budgets.Alive())
        {
            (string?, string?) owner = (budget.Name, budget.PipelineName);
            balances[owner] = balances.GetValueOrDefault(owner) + budget.Balance; // two of one name are one series
        }

        List<Measurement<double>> measured = [];
        foreach (((string? policy, string? pipeline), double balance) in balances)
        {
            TagList tags = new() { { ResilienceTelemetry.PolicyTag, policy } };
            if (pipeline is not null) tags.Add(ResilienceTelemetry.PipelineTag, pipeline);
            measured.Add(new(balance, tags));
        }

        return measured;
    }
}
