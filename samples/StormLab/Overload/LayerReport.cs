namespace Resilience.StormLab;

/// <summary>A chain of services in numbers and a picture.</summary>
public static class LayerReport
{
    private static readonly string[] Styles = ["naive", "static", "configured"];

    /// <summary>The account: the story, and a table with a column for each side.</summary>
    public static IEnumerable<string> Tell(IReadOnlyList<LayerRun> runs)
    {
        yield return $"Layers: {runs[0].Scenario.Name}";
        yield return runs[0].Scenario.Story;
        yield return "";
        yield return $"{"",-44}{string.Concat(runs.Select(r => $"{r.Side,16}"))}";
        yield return Row("requests for each call while it is dead", r => Story.Text($"{r.Amplification:0.00}"));
        yield return Row("requests a second at the peak", r => Story.Text($"{r.Requests.Max():N0}"));
        yield return Row("calls that ended well before and after", r => Story.Text($"{Well(r):P1}"));

        string Row(string name, Func<LayerRun, string> value) => $"{name,-44}{string.Concat(runs.Select(r => $"{value(r),16}"))}";
    }

    /// <summary>Writes the picture into a folder and gives the name of the file.</summary>
    public static string Write(string folder, IReadOnlyList<LayerRun> runs)
    {
        Directory.CreateDirectory(folder);
        Chart chart = new()
        {
            Title = "Load: requests that reach the dependency",
            Unit = "requests a second",
            Seconds = LayerScenario.Seconds,
            Shaded = [LayerScenario.Trouble],
        };
        for (int i = 0; i < runs.Count; i++) chart.Line(runs[i].Side, Styles[i], runs[i].Requests);
        string file = $"{runs[0].Scenario.Name}-load.svg";
        File.WriteAllText(Path.Combine(folder, file), chart.Draw(820, HtmlReport.Resource("picture.css")));
        return file;
    }

    private static double Well(LayerRun run)
    {
        TimeSpan from = TimeSpan.FromSeconds(LayerScenario.Trouble.From), until = TimeSpan.FromSeconds(LayerScenario.Trouble.Until + 5);
        double before = run.Report.SuccessShare(TimeSpan.Zero, from), after = run.Report.SuccessShare(until, TimeSpan.FromSeconds(LayerScenario.Seconds));
        return Math.Min(before, after);
    }
}
