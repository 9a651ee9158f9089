using System.Globalization;
using System.Text.RegularExpressions;

namespace Resilience.Tests.Docs;

/// <summary>A page of a decision has its number in its name and its title, and says what was rejected; every number is used once, or is named as never used
/// (decision 0000).</summary>
public sealed partial class DecisionPagesTests
{
    private static (string File, string Text)[] Pages() =>
        [.. Repository.Files("docs/decisions", "*.md").Select(f => (Path.GetFileName(f), File.ReadAllText(f).ReplaceLineEndings("\n")))];

    private static IEnumerable<string> Faults(IReadOnlyCollection<(string File, string Text)> pages)
    {
        foreach ((string file, string text) in pages)
        {
            if (Name().Match(file) is not { Success: true } name) yield return $"{file} does not begin with a number of four digits";
            else if (!Regex.IsMatch(text, $"^# {name.Groups[1].Value}:? ")) yield return $"{file} has another title than '# {name.Groups[1].Value}: …'";
            if (!Rejected().IsMatch(text)) yield return $"{file} does not say what was rejected";
        }

        string[] numbers = [.. pages.Select(p => p.File[..4])];
        foreach (IGrouping<string, string> twice in numbers.GroupBy(n => n).Where(g => g.Count() > 1)) yield return $"{twice.Key} is the number of two pages";
        HashSet<string> unused = [.. NeverUsed().Match(pages.First(p => p.File.StartsWith("0000", StringComparison.Ordinal)).Text).Value.Split(' ', ',', '.')];
        int[] used = [.. numbers.Where(n => int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out _)).Select(n => int.Parse(n, CultureInfo.InvariantCulture))];
        IEnumerable<string> missing = Enumerable.Range(0, used.Max()).Except(used).Select(n => n.ToString("0000", CultureInfo.InvariantCulture));
        foreach (string number in missing.Where(n => !unused.Contains(n))) yield return $"{number} is missing, and 0000 does not say that it was never used";
        foreach (string number in unused.Where(numbers.Contains)) yield return $"{number} is used, and 0000 says that it never was";
    }

    [Fact]
    public void Every_page_has_what_0000_asks_for()
    {
        (string File, string Text)[] pages = Pages();
        pages.Should().HaveCountGreaterThan(50);
        Faults(pages).ShouldBeNone();
    }

    [Fact]
    public void A_planted_fault_is_found()
    {
        (string, string) rules = ("0000-how.md", "# 0000: how\n\n0002 and 0005 were never used.\n\n## Rejected\n");
        Faults([rules, ("0001-a.md", "# 0001 A\n\n**Rejected.** B."), ("0003-c.md", "# 0003: C\n\n## Not chosen\n")]).ShouldBeNone();
        Faults([rules, ("0001-a.md", "# 0001 A\n\nA call is rejected."), ("0003-c.md", "# 0004: C\n\n## Not chosen\n"),
            ("0003-d.md", "# 0003: D\n\n## Rejected\n"), ("0005-e.md", "# 0005: E\n\n## Rejected\n"), ("notes.md", "**Rejected.**")])
            .Should().Equal(
                "0001-a.md does not say what was rejected", "0003-c.md has another title than '# 0003: …'", "notes.md does not begin with a number of four digits",
                "0003 is the number of two pages", "0004 is missing, and 0000 does not say that it was never used", "0005 is used, and 0000 says that it never was");
    }

    [GeneratedRegex(@"^(\d{4})-")]
    private static partial Regex Name();

    [GeneratedRegex(@"^## (Rejected|Not chosen)|\*\*(Rejected|Not chosen)|(^|[ (])(Rejected|Not chosen)[:.,]", RegexOptions.Multiline)]
    private static partial Regex Rejected();

    [GeneratedRegex(@"\d{4}[\d, and]* (were|was) never used")]
    private static partial Regex NeverUsed();
}
