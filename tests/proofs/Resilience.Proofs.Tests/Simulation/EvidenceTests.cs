using System.Globalization;

namespace Resilience.Tests.Simulations;

/// <summary>The program that writes docs/evidence: what the pages claim comes out of it.</summary>
public sealed class EvidenceTests
{
    [Fact]
    public async Task Jitter_helps_those_who_collide_and_our_budget_grants_what_Finagles_grants()
    {
        string folder = Directory.CreateTempSubdirectory("evidence").FullName;
        try
        {
            (int exit, string printed) = await Repository.RunProjectAsync(
                "benchmarks/Resilience.Evidence", TimeSpan.FromMinutes(5), "contention", "budgets", $"--to={folder}");
            exit.Should().Be(0, "{0}", printed);
            double[] crowd = [.. Rows(Path.Combine(folder, "contention.md")).First(r => r[0] == 200)]; // clients, none, exponential, equal, full, decorrelated
            crowd[2].Should().BeLessThan(crowd[1], "backoff does less work than none");
            crowd[4].Should().BeLessThan(crowd[2] / 2, "with jitter it does far less");
            foreach (double[] row in Rows(Path.Combine(folder, "budgets.md"))) // share, ours, Finagle, gRPC, asked for
                row[1].Should().BeApproximately(row[2], 0.005);
            File.ReadAllText(Path.Combine(folder, "contention-calls.svg")).Should().Contain("<svg");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void The_pages_that_are_committed_name_pictures_that_are_there()
    {
        foreach (string page in Repository.Files("docs/evidence", "*.md"))
        {
            foreach (System.Text.RegularExpressions.Match picture in System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(page), @"\]\(([a-z-]+\.svg)\)"))
                File.Exists(Path.Combine(Path.GetDirectoryName(page)!, picture.Groups[1].Value)).Should().BeTrue("{0} shows {1}", page, picture.Groups[1].Value);
        }

        Rows(Path.Combine(Repository.Root, "docs/evidence/amplification.md")).Last().Should().HaveCount(4);
    }

    private static IEnumerable<double[]> Rows(string page) => File.ReadLines(page)
        .Where(l => l.StartsWith("| ", StringComparison.Ordinal) && char.IsDigit(l[2]))
        .Select(l => l.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(c => double.Parse(c, NumberStyles.Any, CultureInfo.InvariantCulture)).ToArray());
}
