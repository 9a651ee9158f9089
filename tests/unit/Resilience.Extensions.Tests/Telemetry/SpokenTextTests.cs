using System.Text.RegularExpressions;

namespace Resilience.Tests.Telemetry;

/// <summary>Sentences that are put together while the library runs stand in a file that is reviewed, with values as they are in an incident and without
/// each part that can be missing: rejections, what ends a request, what is wrong with options, configuration, keys and orders.</summary>
public sealed partial class SpokenTextTests
{
    private const string File = "docs/spoken-texts.txt";

    private static async Task<string> WrittenAsync()
    {
        List<(string Heading, IEnumerable<string> Lines)> parts =
        [
            ("A circuit rejects", SpokenRejections.OfCircuits()),
            ("A concurrency limit rejects", SpokenRejections.OfLimits()),
            ("A rate limiter rejects", SpokenRejections.OfRateLimiters()),
            ("An adaptive throttle rejects", SpokenRejections.OfThrottles()),
            ("An adaptive limit rejects", SpokenRejections.OfAdaptiveLimits()),
            ("A server sheds load", SpokenRejections.OfShedders()),
            ("Idempotency rejects", SpokenRejections.OfIdempotency()),
            ("A request of an HttpClient ends", await SpokenRequests.AllAsync()),
            ("A time is up", SpokenRejections.OfTimeouts()),
            ("A key is no key", SpokenProblems.OfKeys()),
            ("Options are checked", SpokenProblems.OfOptions()),
            ("Configuration is checked", SpokenProblems.OfConfiguration()),
            ("An order is checked", SpokenProblems.OfOrders()),
            ("A health check looks at circuits", await SpokenHealth.OfCircuitsAsync()),
            ("A health check looks at stores", await SpokenHealth.OfStoresAsync()),
        ];
        return string.Join("\n", parts.Select(p => $"{p.Heading}\n\n{string.Concat(Each(p.Lines).Select(l => $"{l}\n"))}"));
    }

    private static IEnumerable<string> Each(IEnumerable<string> lines) => lines.Select(l => l.ReplaceLineEndings("\n")).Distinct();

    [Fact]
    public async Task No_sentence_stands_there_twice()
    {
        string[] sentences = [.. (await WrittenAsync()).Split('\n').Where(l => l.Length > 0 && !l.StartsWith("  ", StringComparison.Ordinal)
            && !l.EndsWith(':'))];
        sentences.Should().OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task Every_sentence_that_is_put_together_is_reviewed()
    {
        string path = Path.Combine(Repository.Root, File), written = await WrittenAsync();
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(path, written);
        System.IO.File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(
            written, "a sentence has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    [Fact]
    public async Task No_sentence_has_a_gap_where_a_part_is_missing()
    {
        (await WrittenAsync()).Split('\n').Where(l => Gap().IsMatch(l)).Should().BeEmpty();
        foreach (string planted in (string[])
            ["the store cannot be asked ()", "1 permits are", "1 calls in a row", "the circuit of '' is open", "retry in , at", "limit NaN %", "because ; it",
                "record {Id}", "two  blanks",
                "1 of 1 calls failed", "1 attempts"])
        {
            Gap().IsMatch(planted).Should().BeTrue(planted);
        }
    }

    /// <summary>An empty pair, two blanks, a mark with nothing before it, a number that is none, one of many.</summary>
    [GeneratedRegex(@"\s\(\)|''|\S  \S|\s[,;.)]|limit NaN|Infinity|\{\w+\}|(?<![\d.,:])1 (?!of\b|is\b|ms\b)\w+s\b|\bof 1 calls")]
    private static partial Regex Gap();
}
