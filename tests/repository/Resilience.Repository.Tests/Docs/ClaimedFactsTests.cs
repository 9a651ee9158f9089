using System.Globalization;
using System.Text.RegularExpressions;

namespace Resilience.Tests.Docs;

/// <summary>What pages claim outside of blocks of C# is so: paths, defaults of options, ranges of codes, figures of measurements.</summary>
public sealed partial class ClaimedFactsTests
{
    /// <summary>Records of what was: they name what there was then.</summary>
    private static readonly string[] Records = ["CHANGELOG.md", "docs/decisions/", "benchmarks/results/"];

    private static IEnumerable<(string File, string Text)> Pages() => Running.Block.Documents
        .Select(f => (Repository.Relative(f), File.ReadAllText(f).ReplaceLineEndings("\n")))
        .Where(p => !Records.Any(r => p.Item1.StartsWith(r, StringComparison.Ordinal)));

    /// <summary>Paths in commands, in code and in prose that are not there, from the root or from the page.</summary>
    private static IEnumerable<string> MissingPaths(string file, string text) =>
        OwnPath().Matches(CSharpBlock().Replace(text, "")).Select(m => m.Groups[1].Value)
            .Where(p => !Exists(p) && !Exists(Path.Combine(Path.GetDirectoryName(file)!, p))).Select(p => $"{file}: there is no {p}");

    private static bool Exists(string path) => Path.Combine(Repository.Root, path) is var full && (File.Exists(full) || Directory.Exists(full));

    [Fact]
    public void Every_path_that_a_page_names_is_there()
    {
        Pages().SelectMany(p => MissingPaths(p.File, p.Text)).ShouldBeNone();
        MissingPaths("README.md", "    dotnet run --project samples/QuickStartt\n\n`tests/runn.sh` and\n\n```sh\n"
            + "tests/run.sh; dotnet test tests/unit/Gone.Tests\n```\n"
            + "`src/Resilience.Core/*.cs`, https://example.org/docs/gone.md\n\n```csharp\n\"src/gone\"\n```\n").Should().Equal(
            "README.md: there is no samples/QuickStartt", "README.md: there is no tests/runn.sh", "README.md: there is no tests/unit/Gone.Tests");
    }

    private static readonly Lazy<HashSet<int>> Codes = new(() =>
        [
            .. Repository.Files("src", "*.cs").SelectMany(f => Code().Matches(File.ReadAllText(f)))
                .Select(m => int.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture)),
        ]);

    /// <summary>Ranges of codes that begin or end with one that is not there, or that begin with the first of a hundred and leave out the last.</summary>
    private static IEnumerable<string> WrongRanges(string file, string text)
    {
        foreach (Match range in CodeRange().Matches(text))
        {
            int from = int.Parse(range.Groups[1].Value, CultureInfo.InvariantCulture), to = int.Parse(range.Groups[2].Value, CultureInfo.InvariantCulture);
            int last = Codes.Value.Where(c => c / 100 == from / 100).Order().LastOrDefault();
            if (!Codes.Value.Contains(from) || !Codes.Value.Contains(to) || (from % 100 == 1 && to != last))
                yield return string.Create(CultureInfo.InvariantCulture, $"{file}: {range.Value}, but the last is RES{last:000}");
        }
    }

    [Fact]
    public void Ranges_of_codes_are_those_that_there_are()
    {
        Codes.Value.Should().HaveCountGreaterThan(35);
        Pages().SelectMany(p => WrongRanges(p.File, p.Text)).ShouldBeNone();
        WrongRanges("a.md", "the warnings RES001 to RES035").Should().ContainSingle().Which.Should().StartWith("a.md: RES001 to RES035, but the last is RES0");
        WrongRanges("a.md", "RES101 to RES110").Should().ContainSingle("a range from the first leaves none out");
        WrongRanges("a.md", "RES102 to RES105, RES201 to RES206").Should().BeEquivalentTo(Array.Empty<string>());
    }

    private static readonly (string Page, object Options)[] Defaults =
    [
        ("docs/policies/adaptive-throttle.md", new AdaptiveThrottleOptions()),
        ("docs/policies/adaptive-concurrency-limit.md", new AdaptiveConcurrencyLimitOptions()), ("docs/policies/chaos.md", new ChaosOptions()),
        ("docs/policies/circuit-breaker.md", new CircuitBreakerOptions()), ("docs/policies/concurrency-limit.md", new ConcurrencyLimitOptions()),
        ("docs/policies/fallback.md", new FallbackOptions<string>()), ("docs/policies/hedging.md", new HedgingOptions()),
        ("docs/policies/rate-limiter.md", new RateLimiterOptions()), ("docs/policies/retry-budget.md", new RetryBudgetOptions()),
        ("docs/policies/retry.md", new RetryOptions()), ("docs/policies/timeout.md", new TimeoutOptions()), ("docs/idempotency.md", new IdempotencyOptions()),
        ("docs/idempotency/memory.md", new InMemoryIdempotencyOptions()), ("docs/idempotency/postgresql.md", new PostgresIdempotencyOptions()),
        ("docs/idempotency/redis.md", new RedisIdempotencyOptions()), ("docs/idempotency/sqlite.md", new SqliteIdempotencyOptions()),
        ("docs/live-page.md", new ResilienceDashboardOptions()), ("docs/endpoints.md", new EndpointSetOptions()),
        ("docs/deadlines.md", new Overload.RequestDeadlineOptions()), ("docs/load-shedding.md", new LoadShedderOptions()),
    ];

    /// <summary>What a page says of the defaults of its options: rows of a table of options, and "`Name`, 20" in prose.</summary>
    private static IEnumerable<(string Name, string Said)> Claims(string text)
    {
        foreach (Match table in OptionTable().Matches(text))
        {
            foreach (string[] cells in table.Groups[1].Value.Split('\n').Where(l => l.Length > 0).Select(l => l.Split('|')))
            {
                string[] names = [.. Name().Matches(cells[1]).Select(m => m.Groups[1].Value)], said = cells[2].Trim().Split(", ");
                for (int i = 0; i < names.Length; i++) yield return (names[i], said.ElementAtOrDefault(i) ?? "");
            }
        }

        foreach (Match said in InProse().Matches(text)) yield return (said.Groups[1].Value, said.Groups[2].Value);
    }

    private static IEnumerable<string> WrongDefaults(string page, object options, string text)
    {
        foreach ((string name, string said) in Claims(text))
        {
            if (options.GetType().GetProperty(name) is not { } property) yield return $"{page}: {options.GetType().Name} has no {name}";
            else if (!IsSo(said.Trim('`'), property.GetValue(options), options))
                yield return $"{page}: {name} is {property.GetValue(options) ?? "none"}, not {said}";
        }
    }

    /// <summary>Numbers, spans, flags and members of enums are compared, and names of other options; what else a default is, is told in words.</summary>
    private static bool IsSo(string said, object? value, object options)
    {
        if (options.GetType().GetProperty(said) is { } other && value?.GetType().IsEnum != true) return value is null || Equals(other.GetValue(options), value);
        decimal? number = Quantity().Match(said) is { Success: true } quantity
            ? decimal.Parse(quantity.Groups[1].Value, NumberStyles.Number, CultureInfo.InvariantCulture) * Units[quantity.Groups[2].Value] : null;
        return value switch
        {
            null => number is null && said is not ("true" or "false" or "zero"),
            TimeSpan span => (said == "zero" ? 0 : number * TimeSpan.TicksPerMillisecond) == span.Ticks,
            bool flag => said == (flag ? "true" : "false"),
            Enum member => string.Equals(said, member.ToString(), StringComparison.OrdinalIgnoreCase),
            int or long or double => number == Convert.ToDecimal(value, CultureInfo.InvariantCulture),
            string given => said == given,
            _ => number is null,
        };
    }

    private static readonly Dictionary<string, decimal> Units = new()
    {
        [""] = 1,
        ["ms"] = 1,
        ["s"] = 1_000,
        ["min"] = 60_000,
        ["h"] = 3_600_000,
        ["KiB"] = 1 << 10,
        ["MiB"] = 1 << 20,
    };

    [Fact]
    public void Defaults_that_a_page_gives_are_those_of_the_options()
    {
        Defaults.SelectMany(d => Claims(Page(d.Page))).Should().HaveCountGreaterThan(90);
        Defaults.SelectMany(d => WrongDefaults(d.Page, d.Options, Page(d.Page))).ShouldBeNone();
        Pages().Where(p => OptionTable().IsMatch(p.Text)).Select(p => p.File).Except(Defaults.Select(d => d.Page)).ShouldBeNone();
        WrongDefaults("a.md", new RateLimiterOptions(), "| option | default | why |\n|---|---|---|\n| `Permits` | 7 | A |\n| `Gone` | 1 | B |\n")
            .Should().Equal("a.md: Permits is 1, not 7", "a.md: RateLimiterOptions has no Gone");
        WrongDefaults("a.md", new ResilienceDashboardOptions(), "viewers (`MaxViewers`, 99, of which").Should().ContainSingle();
        WrongDefaults("a.md", new TimeoutOptions(), "| option | default |\n|---|---|\n| `Timeout` | 30 min |\n").Should().ContainSingle();
        WrongDefaults("a.md", new CircuitBreakerOptions(), "| option | default |\n|---|---|\n| `DryRun`, `Probes` | true, `2` |\n").Should().HaveCount(2);
    }

    private static string Page(string file) => File.ReadAllText(Path.Combine(Repository.Root, file)).ReplaceLineEndings("\n");

    /// <summary>Rows of the table of speeds that stand in no row of the report.</summary>
    private static IEnumerable<string> WithoutMeasurement(string page, string report)
    {
        HashSet<string> measured = [.. Rows(report, 8).Select(c => string.Join(" | ", c[3], c[2].Split(' ')[0], c[4], c[7], c[6]))];
        return Rows(page[page.IndexOf("## How fast", StringComparison.Ordinal)..page.IndexOf("## Documentation", StringComparison.Ordinal)], 6)
            .Where(c => !measured.Contains(string.Join(" | ", c[1..]))).Select(c => $"{c[0]}: the report has no row of {string.Join(" | ", c[1..])}");
    }

    private static IEnumerable<string[]> Rows(string text, int columns) => text.Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal))
        .Select(l => l.Trim().Trim('|').Split('|').Select(c => c.Trim()).ToArray()).Where(c => c.Length == columns && char.IsAsciiDigit(c[2].FirstOrDefault()));

    [Fact]
    public void Figures_of_the_README_stand_in_the_report()
    {
        string page = Page("README.md"), report = Page("benchmarks/results/suspended.md");
        WithoutMeasurement(page, report).ShouldBeNone();
        WithoutMeasurement(page.Replace("| 870 | 122 | 7.1 |", "| 870 | 112 | 7.1 |", StringComparison.Ordinal), report)
            .Should().ContainSingle().Which.Should().StartWith("closed breaker, suspends");
    }

    [GeneratedRegex(@"(?<![\w./:*-])((?:src|tests|samples|benchmarks|docs|\.ci|\.github|\.devcontainer)/[\w./-]*[\w-])(?![\w*]*\*)")]
    private static partial Regex OwnPath();

    [GeneratedRegex("^```csharp.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CSharpBlock();

    [GeneratedRegex(@"\bRES(\d{3})\b")]
    private static partial Regex Code();

    [GeneratedRegex(@"\bRES(\d{3}) to RES(\d{3})\b")]
    private static partial Regex CodeRange();

    [GeneratedRegex(@"^\| option \| default \|.*\n\|[-| ]+\n((?:\|.*(?:\n|$))+)", RegexOptions.Multiline)]
    private static partial Regex OptionTable();

    [GeneratedRegex(@"`(\w+)`")]
    private static partial Regex Name();

    [GeneratedRegex(@"`(Max\w+)`, (\d[\d,]*(?: (?:ms|s|min|h|KiB|MiB))?)(?=[,)])")]
    private static partial Regex InProse();

    [GeneratedRegex(@"^(-?\d[\d,.]*) ?(ms|s|min|h|KiB|MiB|)$")]
    private static partial Regex Quantity();
}
