using System.Text.RegularExpressions;

namespace Resilience.Tests.Docs;

/// <summary>A page that quotes what the library says quotes what it says now: a line of the log, a rejection, a health check. The reviewed files have each,
/// and tests print those; numbers, times and names may be others in the example.</summary>
public sealed partial class QuotedTextTests
{
    private static readonly string[] Reviewed = ["log-lines.txt", "endpoint-log-lines.txt", "grpc-log-lines.txt", "spoken-texts.txt", "event-reports.txt"];

    /// <summary>Records of what was: their words stay as they were.</summary>
    private static readonly string[] Records = ["docs/decisions/", "docs/evidence/", "docs/verification"];

    /// <summary>Names of a policy as people give them, alone or behind those of a pipeline, an authority or a key, and then a text.</summary>
    [GeneratedRegex(@"(?<![\w/-])(?:[\w<>.-]+/(?:https?://[\w.:-]+/)?)?(?:retry|circuit-breaker|breaker|timeout|total-timeout|attempt-timeout|fallback|hedging"
        + @"|concurrency-limit|limit|rate-limiter|adaptive-throttle|chaos|idempotency|classifier)(?:/[\w-]+)?: (?<said>[a-z][^`""|]*)")]
    private static partial Regex Said();

    [GeneratedRegex(@"^(?:```.*?^```|(?: {4}[^\n]*\n)+)|(?<!`)`(?!`)[^`]+`(?!`)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Sample();

    /// <summary>What differs from one time to the next.</summary>
    [GeneratedRegex(@"'[^']*'|\d[\d.,:-]*(?: (?:ms|s|min|h|d)(?: \d+ (?:s|min|h))*\b|Z)?|\((?:System\.[\w.]+|#)\)")]
    private static partial Regex Varying();

    private static string Form(string text)
    {
        string one = Regex.Replace(text.Trim(), @"\s+", " "), form = Varying().Replace(one, "#");
        return Varying().Replace(form.Replace("(#)", "#", StringComparison.Ordinal), "#").TrimEnd('.', ';', '…', ' ');
    }

    private static IEnumerable<string> Quoted(string page)
    {
        foreach (Match sample in Sample().Matches(page.ReplaceLineEndings("\n")))
        {
            if (sample.Value.StartsWith("```", StringComparison.Ordinal) && !sample.Value.StartsWith("```text", StringComparison.Ordinal)) continue;
            string[] texts = sample.Value.StartsWith('`') && !sample.Value.StartsWith("```", StringComparison.Ordinal)
                ? [sample.Value.Replace('\n', ' ')]
                : sample.Value.Split('\n');
            foreach (Match said in texts.SelectMany(t => Said().Matches(t)).Where(m => m.Groups["said"].Value.Contains(' ', StringComparison.Ordinal)))
                yield return said.Groups["said"].Value.Trim();
        }
    }

    private static IEnumerable<string> Wrong(string page, IReadOnlySet<string> forms) => Quoted(page).Where(q => !IsThere(q, forms));

    /// <summary>One that ends with an ellipsis is the beginning of a text.</summary>
    private static bool IsThere(string quoted, IReadOnlySet<string> forms) => quoted.EndsWith('…')
        ? forms.Any(f => f.StartsWith(Form(quoted), StringComparison.Ordinal))
        : forms.Contains(Form(quoted));

    private static readonly Lazy<IReadOnlySet<string>> Forms = new(() => Reviewed
        .SelectMany(f => File.ReadAllLines(Path.Combine(Repository.Root, "docs", f)))
        .SelectMany(l => Said().Matches(l)).Select(m => Form(m.Groups["said"].Value)).ToHashSet());

    private static IEnumerable<string> Pages() =>
        new[] { "README.md", "CHANGELOG.md" }.Select(f => Path.Combine(Repository.Root, f))
            .Concat(Repository.Files("docs", "*.md")).Concat(Repository.Files("src", "*.md")).Concat(Repository.Files("samples", "*.md"))
            .Where(f => !Records.Any(r => Repository.Relative(f).StartsWith(r, StringComparison.Ordinal)));

    [Fact]
    public void What_a_page_quotes_is_what_the_library_says()
    {
        Forms.Value.Should().HaveCountGreaterThan(80);
        Pages().SelectMany(f => Wrong(File.ReadAllText(f), Forms.Value).Select(q => $"{Repository.Relative(f)}: {q}")).Should().BeEmpty();
        Pages().SelectMany(f => Quoted(File.ReadAllText(f))).Should().HaveCountGreaterThan(5);
    }

    [Theory]
    [InlineData("    orders/circuit-breaker: open for 3.2 s; circuit-breaker: open since …\n")]
    [InlineData("It reads `billing/limit: all places are\ntaken (limit 10).`\n")]
    [InlineData("```text\nshop/https://api.example.org/circuit-breaker: half open for 100 ms\n```\n")]
    public void An_old_sentence_is_found(string planted) => Wrong(planted, Forms.Value).Should().ContainSingle();

    [Theory]
    [InlineData("    warn: Resilience[1] payments/retry: attempt 1 failed (503); next attempt in 180 ms\n")]
    [InlineData("It reads `billing/limit: all places are taken at\nthis moment (limit 12) and the queue is full "
        + "(queue limit 5);\na place becomes free when a running call ends.`\n")]
    [InlineData("    o/circuit-breaker: the circuit has been open since …\n")]
    [InlineData("```csharp\nvar x = \"orders/retry: no sample\";\n```\n")]
    [InlineData("A timeout: it ends a call.\n")]
    public void One_that_is_said_now_is_not(string innocent) => Wrong(innocent, Forms.Value).Should().BeEmpty();
}
