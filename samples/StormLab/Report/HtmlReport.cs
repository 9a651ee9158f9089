using System.Net;
using System.Text;

namespace Resilience.StormLab;

/// <summary>The report: one page that needs nothing else, and the pictures and series beside it.</summary>
public static class HtmlReport
{
    private const double Large = 820, Small = 390;

    /// <summary>Writes everything into the folder of the plan and gives the files' names.</summary>
    public static IReadOnlyList<string> Write(StormRun naive, StormRun configured)
    {
        string folder = Directory.CreateDirectory(naive.Plan.Folder).FullName;
        List<string> files = [];
        Save("report.html", Page(naive, configured));
        files.AddRange(WritePictures(folder, naive, configured, name => name));
        Save("series-naive.csv", naive.ToCsv());
        Save("series-configured.csv", configured.ToCsv());
        return files;

        void Save(string name, string text)
        {
            File.WriteAllText(Path.Combine(folder, name), text);
            files.Add(name);
        }
    }

    /// <summary>Writes pictures that stand alone. Those for which the name is null are left out.</summary>
    internal static IEnumerable<string> WritePictures(string folder, StormRun naive, StormRun configured, Func<string, string?> nameOf)
    {
        List<string> files = [];
        foreach ((string name, Chart chart) in Pictures.Of(naive, configured))
        {
            if (nameOf(name) is not { } file) continue;
            files.Add(file + ".svg");
            File.WriteAllText(Path.Combine(folder, files[^1]), chart.Draw(Large, Resource("picture.css")));
        }

        return files;
    }

    /// <summary>The page. It asks for nothing outside itself, and says so to the browser.</summary>
    public static string Page(StormRun naive, StormRun configured)
    {
        StormPlan plan = naive.Plan;
        StringBuilder html = new();
        html.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content="
            + "\"width=device-width, initial-scale=1\">\n");
        html.Append("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
        html.Append($"<title>Storm: {Escape(plan.Scenario.Name)}</title>\n");
        html.Append($"<style>\n{Resource("report.css")}{Resource("picture.css")}</style>\n</head>\n<body>\n");
        html.Append($"<h1>Storm: {Escape(plan.Scenario.Name)}</h1>\n<p class=\"verdict\">{Escape(Story.Verdict(naive, configured))}</p>\n");
        Cards(html, naive, configured);
        foreach (string paragraph in Story.Tell(naive, configured)) html.Append($"<p>{Escape(paragraph)}</p>\n");
        html.Append("<h2>Over time</h2>\n");
        foreach ((_, Chart chart) in Pictures.Of(naive, configured))
            html.Append($"<figure>\n<div class=\"large\">{chart.Draw(Large, null)}</div>\n<div class=\"small\">{chart.Draw(Small, null)}</div>\n</figure>\n");
        Numbers(html, naive, configured);
        WhatNext(html, naive, configured);
        Checks(html, naive, configured);
        Settings(html, naive, configured);
        html.Append($"<footer>\n<p>Made by <code>dotnet run --project samples/StormLab -- {Escape(plan.Command)}</code>. Virtual time and seed "
            + $"{plan.Seed}: the same command makes the same page, byte for byte.</p>\n</footer>\n");
        return html.Append("</body>\n</html>\n").Replace("\r", "").ToString();
    }

    internal static string Resource(string name)
    {
        using StreamReader reader = new(typeof(HtmlReport).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static void Cards(StringBuilder html, StormRun naive, StormRun configured)
    {
        html.Append("<ul class=\"cards\">\n");
        Card("recovery after the trouble", r => r.Recovery is { } time ? Story.Text($"{time.TotalSeconds:0} s") : "never");
        Card("requests for each call, at the peak", r => Story.Text($"{r.Peak.Amplification:0.0}"));
        Card("calls that end well, after the trouble", r => Story.Text($"{r.After.SuccessShare:P0}"));
        Card("abandoned requests served", r => Story.Text($"{r.Report.Abandoned:N0}"));
        html.Append("</ul>\n");

        void Card(string name, Func<StormRun, string> value) => html.Append(
            $"<li><span>{Escape(name)}</span><b class=\"old\">{value(naive)}</b><span>{Escape(Name(naive))}</span>"
                + $"<b class=\"new\">{value(configured)}</b><span>{Escape(Name(configured))}</span></li>\n");
    }

    private static void Numbers(StringBuilder html, StormRun naive, StormRun configured)
    {
        html.Append($"<h2>In numbers</h2>\n<div class=\"wide\"><table>\n<tr><th></th><th>{Escape(Name(naive))}</th><th>{Escape(Name(configured))}</th></tr>\n");
        foreach ((string name, string left, string right) in Story.Table(naive, configured))
            html.Append($"<tr><td>{Escape(name)}</td><td>{Escape(left)}</td><td>{Escape(right)}</td></tr>\n");
        html.Append("</table></div>\n");
    }

    private static void WhatNext(StringBuilder html, params StormRun[] runs)
    {
        html.Append("<h2>What to change next</h2>\n");
        foreach (StormRun run in runs)
        {
            IReadOnlyList<string> hints = Hints.For(run);
            html.Append($"<h3>{Escape(Name(run))}</h3>\n");
            if (hints.Count == 0) html.Append("<p>Nothing that a rule would name.</p>\n");
            else html.Append("<ul>\n").AppendJoin('\n', hints.Select(h => $"<li>{Escape(h)}</li>")).Append("\n</ul>\n");
        }
    }

    private static void Checks(StringBuilder html, params StormRun[] runs)
    {
        html.Append("<h2>Checked on this run</h2>\n<ul>\n");
        foreach (StormRun run in runs)
        {
            foreach (StormCheck check in StormChecks.Of(run))
                html.Append($"<li>{(check.Holds ? "holds" : "<b>BROKEN</b>")}, {Escape(Name(run))}: {Escape(check.Name)} ({Escape(check.Detail)})</li>\n");
        }

        html.Append("</ul>\n");
    }

    private static void Settings(StringBuilder html, params StormRun[] runs)
    {
        html.Append("<h2>The settings</h2>\n<p>As they stand in <code>appsettings.json</code> under <code>Resilience:Pipelines</code>, with a "
            + "name of yours.</p>\n");
        foreach (StormRun run in runs)
        {
            string json = FleetSettings.ToJson(run.Plan.Settings, run.Side);
            html.Append($"<h3>{Escape(Name(run))}</h3>\n<pre>{Escape(json)}</pre>\n<pre>{Escape(run.Described.TrimEnd())}</pre>\n");
        }
    }

    private static string Name(StormRun run) => run.Plan.NameOf(run.Side);

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}
