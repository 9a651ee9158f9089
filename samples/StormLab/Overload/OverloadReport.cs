using Resilience.Overload;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>An overload in numbers and pictures.</summary>
public static class OverloadReport
{
    private static readonly Criticality[] Classes = [Criticality.CriticalPlus, Criticality.Critical, Criticality.SheddablePlus, Criticality.Sheddable];

    /// <summary>The account: the story, and a table with a column for each side.</summary>
    public static IEnumerable<string> Tell(IReadOnlyList<OverloadRun> runs)
    {
        OverloadScenario scenario = runs[0].Scenario;
        yield return $"Overload: {scenario.Name}";
        yield return scenario.Story;
        yield return Story.Text($"The service can serve {scenario.Capacity:0} calls a second then; callers wait for {Story.Span(OverloadScenario.Patience)}.");
        yield return "";
        yield return $"{"",-34}{string.Concat(runs.Select(r => $"{Name(r),14}"))}";
        yield return Row("goodput, calls a second", r => Story.Text($"{r.Goodput:0.0}"));
        yield return Row("of what can be served", r => Story.Text($"{r.Goodput / Math.Min(scenario.Capacity, scenario.LoadInTrouble):P0}"));
        yield return Row("rejected", r => Story.Text($"{r.RejectedShare:P1}"));
        yield return Row("served for callers that had left", r => Story.Text($"{r.Abandoned:0.0}/s"));
        yield return Row("latency of what ends well, p50", r => Milliseconds(r, 0.5));
        yield return Row("latency of what ends well, p99", r => Milliseconds(r, 0.99));
        if (scenario.Classes is not null)
        {
            foreach (Criticality criticality in Classes) yield return Row($"{criticality} served", r => Story.Text($"{r.ServedShare(criticality):P1}"));
        }

        string Row(string name, Func<OverloadRun, string> value) => $"{name,-34}{string.Concat(runs.Select(r => $"{value(r),14}"))}";
    }

    /// <summary>Writes the pictures into a folder and gives the names of the files.</summary>
    public static IReadOnlyList<string> Write(string folder, IReadOnlyList<OverloadRun> runs)
    {
        Directory.CreateDirectory(folder);
        string style = HtmlReport.Resource("picture.css");
        return
        [
            .. Charts(runs).Select(chart =>
            {
                string file = $"{runs[0].Scenario.Name}-{chart.Name}.svg";
                File.WriteAllText(Path.Combine(folder, file), chart.Chart.Draw(820, style));
                return file;
            }),
        ];
    }

    private static IEnumerable<(string Name, Chart Chart)> Charts(IReadOnlyList<OverloadRun> runs)
    {
        Chart goodput = New("Goodput: calls that end well", "calls a second").Mark("what the service can serve", runs[0].Scenario.Capacity);
        Chart latency = New("Latency of the calls that end well, p99", "time to the response (a gap: there was none)", isLogarithmic: true);
        Chart limit = New("The limit", "calls at once");
        foreach (OverloadRun run in runs)
        {
            goodput.Line(Name(run), Style(run), Series(run, i => run.Report.Timeline[i].Succeeded));
            latency.Line(Name(run), Style(run), Series(run, i => Quantile(run.Report.Timeline[i].Latencies)));
            if (run.Side != OverloadSide.Naive) limit.Line(Name(run), Style(run), Series(run, i => i < run.Limits.Count ? run.Limits[i] : double.NaN));
        }

        return [("goodput", goodput), ("latency", latency), ("limit", limit)];

        Chart New(string title, string unit, bool isLogarithmic = false) => new()
        {
            Title = title,
            Unit = unit,
            Seconds = runs[0].Scenario.Seconds,
            SecondsAPoint = Width(runs[0]),
            Shaded = [runs[0].Scenario.Trouble],
            IsLogarithmic = isLogarithmic,
        };
    }

    /// <summary>More than 360 points are averaged.</summary>
    private static int Width(OverloadRun run) => ((int)run.Scenario.Seconds + 359) / 360;

    private static IEnumerable<double> Series(OverloadRun run, Func<int, double> value)
    {
        int width = Width(run), seconds = Math.Min((int)run.Scenario.Seconds, run.Report.Timeline.Count);
        for (int from = 0; from + width <= seconds; from += width)
        {
            double[] known = [.. Enumerable.Range(from, width).Select(value).Where(double.IsFinite)];
            yield return known.Length == 0 ? double.NaN : known.Average();
        }
    }

    private static string Name(OverloadRun run) => run.Side switch
    {
        OverloadSide.Naive => "no limit",
        OverloadSide.Static => "static limit",
        _ => "adaptive",
    };

    private static string Style(OverloadRun run) => run.Side switch
    {
        OverloadSide.Naive => "naive",
        OverloadSide.Static => "static",
        _ => "configured",
    };

    private static double Quantile(LatencyHistogram latencies) => latencies.Count == 0 ? double.NaN : latencies.Quantile(0.99).TotalMilliseconds;

    private static string Milliseconds(OverloadRun run, double share) =>
        run.Latencies.Count == 0 ? "none" : Story.Text($"{run.Latencies.Quantile(share).TotalMilliseconds:0} ms");
}
