namespace Resilience.StormLab;

/// <summary>The pictures of a comparison: both sides always on the same scale.</summary>
internal static class Pictures
{
    /// <summary>More points than this are averaged.</summary>
    private const int MaxPoints = 360;

    /// <summary>All pictures: the name of the file, and the chart.</summary>
    internal static IEnumerable<(string Name, Chart Chart)> Of(StormRun naive, StormRun configured)
    {
        yield return ("load", Load(naive, configured));
        yield return ("goodput", New(naive, "Goodput: calls that end well", "calls a second")
            .Line("calls made", "offered", Series(naive, s => s.Started))
            .Line(Name(naive), "naive", Series(naive, s => s.Succeeded))
            .Line(Name(configured), "configured", Series(configured, s => s.Succeeded)));
        yield return ("latency", Latency(naive, configured));
        double max = 1.06 * naive.Seconds.Concat(configured.Seconds).Max(s => (double)(s.Succeeded + s.Failed + s.Rejected));
        yield return ("outcomes-naive", Outcomes(naive, max));
        yield return ("outcomes-configured", Outcomes(configured, max));
        yield return ("wasted", New(naive, "Wasted work: requests whose callers had given up", "requests a second")
            .Line(Name(naive), "naive", Series(naive, s => s.Abandoned))
            .Line(Name(configured), "configured", Series(configured, s => s.Abandoned))
            .Mark("what the service can serve", naive.Plan.Capacity));
    }

    private static Chart Load(StormRun naive, StormRun configured)
    {
        Chart chart = New(naive, "Load: requests that reach the service", "requests a second")
            .Line("calls made", "offered", Series(naive, s => s.Started))
            .Line(Name(naive), "naive", Series(naive, s => s.Attempts))
            .Line(Name(configured), "configured", Series(configured, s => s.Attempts))
            .Mark("what the service can serve", naive.Plan.Capacity);
        foreach (StormRun run in new[] { naive, configured }.Where(r => r.Settings.CircuitBreaker is not null))
        {
            double clients = run.Plan.Clients;
            chart.Band(Style(run),
                ("closed", "closed", Series(run, s => (clients - s.Open - s.HalfOpen) / clients)),
                ("half open", "halfopen", Series(run, s => s.HalfOpen / clients)),
                ("open", "open", Series(run, s => s.Open / clients)));
        }

        return chart;
    }

    private static Chart Latency(StormRun naive, StormRun configured)
    {
        Chart chart = New(naive, "Latency of the calls that end well", "time to the response (a gap: there was none)",
            isLogarithmic: true);
        foreach (StormRun run in new[] { naive, configured })
        {
            chart.Line($"{Name(run)}, p99", Style(run), Series(run, s => s.P99)).Line($"{Name(run)}, p50", Style(run) + " half", Series(run, s => s.P50));
        }

        return chart;
    }

    private static Chart Outcomes(StormRun run, double max) => New(run, $"How calls end, {Name(run)}", "calls a second", max)
        .Area("well", "done", Series(run, s => s.Succeeded))
        .Area("rejected by us", "rejected", Series(run, s => s.Rejected))
        .Area("failed", "failed", Series(run, s => s.Failed));

    private static Chart New(StormRun run, string title, string unit, double? max = null, bool isLogarithmic = false) => new()
    {
        Title = title,
        Unit = unit,
        Seconds = run.Seconds.Count,
        SecondsAPoint = Width(run.Seconds.Count),
        Shaded = [.. run.Plan.Scenario.Phases.Select(p => (p.From, p.Until))],
        Max = max,
        IsLogarithmic = isLogarithmic,
    };

    private static string Style(StormRun run) => run.Side == StormPlan.Naive ? "naive" : "configured";

    private static string Name(StormRun run) => run.Plan.NameOf(run.Side);

    private static int Width(int seconds) => (seconds + MaxPoints - 1) / MaxPoints;

    private static int[] Points(int seconds) => [.. Enumerable.Range(0, seconds / Width(seconds))];

    private static double[] Series(StormRun run, Func<StormSecond, double> value)
    {
        int width = Width(run.Seconds.Count);
        return [.. Points(run.Seconds.Count).Select(p => Mean(run.Seconds.Skip(p * width).Take(width).Select(value)))];
    }

    private static double Mean(IEnumerable<double> values)
    {
        double[] known = [.. values.Where(double.IsFinite)];
        return known.Length == 0 ? double.NaN : known.Average();
    }
}
