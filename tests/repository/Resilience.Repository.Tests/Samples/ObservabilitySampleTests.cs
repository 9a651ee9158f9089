using System.Text.Json;
using System.Text.RegularExpressions;
using Resilience.Tests.Support;

namespace Resilience.Tests.Samples;

/// <summary>The story of samples/Observability, and its dashboard and alerts held against what its services really expose.</summary>
[Trait("Category", "Samples")]
[Collection(ProcessesCollection.Name)]
public sealed class ObservabilitySampleTests(ObservabilitySampleTests.ToldOnce told) : IClassFixture<ObservabilitySampleTests.ToldOnce>
{
    private const string Folder = "samples/Observability";
    private const string Dashboard = Folder + "/grafana/resilience.json", Alerts = Folder + "/prometheus/alerts.yml",
        AlertTests = Folder + "/prometheus/alerts.test.yml";

    /// <summary>The sample runs once for all tests.</summary>
    public sealed class ToldOnce : IAsyncLifetime
    {
        internal string Out { get; } = Directory.CreateTempSubdirectory("resilience-observability-test").FullName;

        internal int Exit { get; private set; }

        internal string Printed { get; private set; } = "";

        internal IReadOnlyList<Series> Exposed { get; private set; } = [];

        public async Task InitializeAsync()
        {
            (Exit, Printed) = await Repository.RunProjectAsync(Folder, TimeSpan.FromSeconds(180), "--out", Out);
            Exposed = [.. Directory.EnumerateFiles(Out, "*.metrics.txt").SelectMany(File.ReadLines).Select(Series.Parse).OfType<Series>()];
        }

        public Task DisposeAsync()
        {
            Directory.Delete(Out, recursive: true);
            return Task.CompletedTask;
        }
    }

    /// <summary>A metric with the names of its labels, as it is exposed, or as a query wants it.</summary>
    internal sealed record Series(string Metric, string[] Labels)
    {
        private static readonly string[] OfTheScraper = ["job", "instance", "le"];

        internal static Series? Parse(string line) => line.Length == 0 || line[0] == '#'
            ? null
            : new(Regex.Match(line, "^[a-z_:A-Z0-9]+").Value, [.. Regex.Matches(line, "([a-z_A-Z0-9]+)=\"").Select(m => m.Groups[1].Value)]);

        internal bool IsServedBy(IEnumerable<Series> exposed)
        {
            HashSet<string> known = [.. exposed.Where(e => e.Metric == Metric).SelectMany(e => e.Labels.Append(""))];
            return known.Count > 0 && Labels.All(l => OfTheScraper.Contains(l) || known.Contains(l));
        }

        public override string ToString() => $"{Metric}{{{string.Join(", ", Labels)}}}";
    }

    /// <summary>The metrics of a query with the labels that it selects by; what it groups by must be on each of them.</summary>
    internal static IEnumerable<Series> WantedBy(string query)
    {
        string[] grouped = [.. Regex.Matches(query, @"\bby \(([^)]*)\)").SelectMany(m => m.Groups[1].Value.Split(',', StringSplitOptions.TrimEntries))];
        string rest = Regex.Replace(query, @"\bby \([^)]*\)", "");
        foreach (Match metric in Regex.Matches(rest, """\b(resilience_[a-z_]+)\s*(\{(?:"(?:[^"\\]|\\.)*"|[^}"])*\})?(?=[\s\[)/<>*+-]|$)"""))
            yield return new(metric.Groups[1].Value,
                [.. Regex.Matches(metric.Groups[2].Value, "([a-z_]+)\\s*(?:=~|!~|!=|=)").Select(m => m.Groups[1].Value), .. grouped]);
    }

    private static IEnumerable<string> QueriesOfDashboard()
    {
        using JsonDocument dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, Dashboard)));
        List<string> found = [];
        Collect(dashboard.RootElement);
        return found;

        void Collect(JsonElement element)
        {
            if (element.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement item in element.EnumerateArray()) Collect(item);
            }
            else if (element.ValueKind == JsonValueKind.Object)
            {
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    if (property.Name == "expr") found.Add(property.Value.GetString()!);
                    else Collect(property.Value);
                }
            }
        }
    }

    private static IEnumerable<string> QueriesOfAlerts() =>
        Regex.Matches(File.ReadAllText(Path.Combine(Repository.Root, Alerts)), @"^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)", RegexOptions.Multiline)
            .Select(m => m.Groups[1].Success ? m.Groups[1].Value : m.Groups[2].Value);

    /// <summary>What cannot be seen in a short story: it stands in the table of the telemetry, which is checked against the code.</summary>
    private static IEnumerable<Series> Documented()
    {
        string table = File.ReadAllText(Path.Combine(Repository.Root, "docs/telemetry.md"));
        foreach (Match row in Regex.Matches(table,
            @"^\| `(resilience\.[a-z_.]+)` \| (counter|histogram|observable gauge|up-down counter)[^|]*\| `?([^|`]*)`? \|([^|]*)\|", RegexOptions.Multiline))
        {
            string name = row.Groups[1].Value.Replace('.', '_') + (row.Groups[3].Value.Trim() == "s" ? "_seconds" : "");
            string[] labels = [.. Regex.Matches(row.Groups[4].Value, "`([a-z_.]+\\.[a-z_]+)`").Select(m => m.Groups[1].Value.Replace('.', '_'))];
            if (row.Groups[2].Value == "counter") yield return new(name + "_total", labels);
            else if (row.Groups[2].Value != "histogram") yield return new(name, labels);
            else foreach (string part in (string[])["_bucket", "_sum", "_count"]) yield return new(name + part, labels);
        }
    }

    [Fact]
    public void The_story_shows_one_trace_over_retries_hedges_and_replays_in_both_services()
    {
        told.Exit.Should().Be(0, "{0}", told.Printed);
        told.Printed.Should().Contain("status=claimed").And.Contain("status=replayed").And.Contain("reply lost").And.Contain("resilience.rejected");
        told.Printed.Should().MatchRegex("log  Warning: payments/.*attempt 1 failed");
    }

    [Fact]
    public void Each_line_of_the_logs_is_json_and_each_event_of_a_policy_carries_the_trace_of_its_call()
    {
        string[] lines = [.. Directory.EnumerateFiles(told.Out, "*.log.jsonl").SelectMany(File.ReadLines)];
        JsonElement[] events = [.. lines.Select(l => JsonDocument.Parse(l).RootElement).Where(l => l.GetProperty("Category").GetString() == "Resilience")];
        events.Should().HaveCountGreaterThan(5);
        events.Should().OnlyContain(e => Regex.IsMatch(e.GetProperty("Scopes").ToString(), "\"TraceId\":\\s*\"[0-9a-f]{32}\""));
    }

    [Fact]
    public void Every_metric_and_label_that_the_dashboard_and_the_alerts_ask_for_exists()
    {
        Series[] known = [.. told.Exposed, .. Documented()];
        string[] queries = [.. QueriesOfDashboard(), .. QueriesOfAlerts()];
        queries.Should().HaveCountGreaterThan(50);
        queries.Should().OnlyContain(q => WantedBy(q).Any() || !q.Contains("resilience", StringComparison.Ordinal));
        queries.SelectMany(WantedBy).Where(w => !w.IsServedBy(known)).Select(w => w.ToString()).Distinct().ShouldBeNone();
    }

    [Fact]
    public void What_the_services_expose_is_what_the_table_says()
    {
        Series[] documented = [.. Documented()];
        told.Exposed.Where(e => e.Metric.StartsWith("resilience_", StringComparison.Ordinal))
            .Select(e => e with { Labels = [.. e.Labels.Where(l => !l.StartsWith("otel_scope_", StringComparison.Ordinal))] })
            .Where(e => !e.IsServedBy(documented)).Select(e => e.ToString()).Distinct().ShouldBeNone();

        // The story is no toy: most of what dashboards need is really there.
        documented.Select(d => d.Metric).Intersect(told.Exposed.Select(e => e.Metric)).Should().HaveCountGreaterThan(25);
    }

    [Theory]
    [InlineData("sum by (job) (rate(resilience_retries_totals[5m]))", "resilience_retries_totals{job}")]
    [InlineData("sum by (resilience_tenant) (rate(resilience_retries_total[5m]))", "resilience_retries_total{resilience_tenant}")]
    [InlineData("resilience_retries_total{resilience_pipe=~\"a}b\", job=\"x\"} > 1", "resilience_retries_total{resilience_pipe, job}")]
    [InlineData("vector(1) / min(resilience_retry_balance)", "resilience_retry_balance{}")]
    public void The_check_finds_a_planted_query_for_what_is_not_there(string query, string complaint) =>
        WantedBy(query).Where(w => !w.IsServedBy([.. told.Exposed, .. Documented()])).Select(w => w.ToString()).Should().Equal(complaint);

    [Fact]
    [Requires(Tool.Promtool)]
    public async Task Promtool_finds_the_alerts_sound_and_they_fire_when_they_should()
    {
        await PromtoolAsync("check", "rules", Alerts);
        await PromtoolAsync("test", "rules", AlertTests);

        // Each alert is tested, and a rule with another threshold is noticed.
        string[] alerts = [.. Regex.Matches(File.ReadAllText(Path.Combine(Repository.Root, Alerts)), "- alert: (\\w+)").Select(m => m.Groups[1].Value)];
        string tests = File.ReadAllText(Path.Combine(Repository.Root, AlertTests));
        alerts.Should().OnlyContain(a => tests.Contains($"alertname: {a}\n        exp_alerts:\n          - exp_labels", StringComparison.Ordinal));
        string planted = Directory.CreateDirectory(Path.Combine(told.Out, "planted")).FullName;
        await File.WriteAllTextAsync(Path.Combine(planted, "alerts.test.yml"), tests);
        string rules = await File.ReadAllTextAsync(Path.Combine(Repository.Root, Alerts));
        await File.WriteAllTextAsync(Path.Combine(planted, "alerts.yml"),
            rules.Replace("resilience_retry_budget_balance) < 1", "resilience_retry_budget_balance) < 0"));
        (int exit, _) = await Repository.RunAsync("promtool", TimeSpan.FromSeconds(60), "test", "rules", Path.Combine(planted, "alerts.test.yml"));
        exit.Should().NotBe(0);
    }

    [Fact]
    [Requires(Tool.Promtool)]
    public async Task Promtool_reads_every_query_of_the_dashboard()
    {
        IEnumerable<string> rules = QueriesOfDashboard().Select((q, i) =>
            $"      - record: dashboard:query_{i}\n        expr: '{q.Replace("$__rate_interval", "5m").Replace("$__range", "1h").Replace("$pipeline", ".*").Replace("$job", ".*")}'");
        string file = Path.Combine(told.Out, "dashboard-queries.yml");
        await File.WriteAllTextAsync(file, $"groups:\n  - name: dashboard\n    rules:\n{string.Join('\n', rules)}\n");
        await PromtoolAsync("check", "rules", file);
    }

    [Fact]
    [Requires(Tool.Promtool)]
    public async Task Promtool_reads_what_the_services_expose()
    {
        string[] files = [.. Directory.EnumerateFiles(told.Out, "*.metrics.txt")];
        files.Should().HaveCount(3);
        foreach (string file in files)
        {
            (int exit, string said) = await Repository.RunAsync("bash", TimeSpan.FromSeconds(60), "-c", $"promtool check metrics < '{file}'");
            exit.Should().Be(0, "{0}", said);
        }
    }

    private static async Task PromtoolAsync(params string[] arguments)
    {
        (int exit, string said) = await Repository.RunAsync("promtool", TimeSpan.FromSeconds(60), arguments);
        exit.Should().Be(0, "{0}", said);
    }
}
