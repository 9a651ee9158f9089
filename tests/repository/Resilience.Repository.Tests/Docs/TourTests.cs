using System.Text.RegularExpressions;

namespace Resilience.Tests.Docs;

/// <summary>What shows a newcomer the way shows all of it: the tour of the core's folders in CONTRIBUTING, and the pages of the policies in README and the
/// index of the documents.</summary>
public sealed partial class TourTests
{
    private static string Text(string file) => File.ReadAllText(Path.Combine(Repository.Root, file));

    /// <summary>The sentence that names the folders.</summary>
    [GeneratedRegex(@"The core has (?<folders>.*?) and a folder for each policy", RegexOptions.Singleline)]
    private static partial Regex Tour();

    [GeneratedRegex("`(?<name>[A-Za-z]+)`")]
    private static partial Regex Named();

    private static IEnumerable<string> Wrong(string contributing, IEnumerable<string> folders)
    {
        HashSet<string> named = [.. Named().Matches(Tour().Match(contributing).Groups["folders"].Value).Select(m => m.Groups["name"].Value)];
        string[] all = [.. folders];
        return all.Except(named).Where(f => !IsOfPolicy(f)).Select(f => $"{f} is not named").Concat(named.Except(all).Select(n => $"{n} is no folder"));
    }

    /// <summary>It adds a policy to a builder.</summary>
    private static bool IsOfPolicy(string folder) =>
        Path.Combine(Repository.Root, "src", "Resilience.Core", folder) is var path && Directory.Exists(path)
        && Directory.EnumerateFiles(path, "*BuilderExtensions.cs", SearchOption.AllDirectories).Any();

    private static string[] Folders() =>
    [
        .. Directory.GetDirectories(Path.Combine(Repository.Root, "src", "Resilience.Core")).Select(d => Path.GetFileName(d)!)
            .Where(n => n is not ("bin" or "obj")),
    ];

    [Fact]
    public void The_tour_names_each_folder_of_the_core_that_is_not_a_policy()
    {
        string tour = Text("CONTRIBUTING.md");
        Wrong(tour, Folders()).Should().BeEmpty();
        Wrong(tour, [.. Folders(), "Attic"]).Should().Equal("Attic is not named");
        Wrong(tour, Folders().Except(["Context"])).Should().Equal("Context is no folder");
    }

    private static IEnumerable<string> WithoutLink(string page, string prefix) =>
        Repository.Files("docs/policies", "*.md").Select(f => Path.GetFileName(f))
            .Where(f => !page.Contains($"({prefix}policies/{f})", StringComparison.Ordinal));

    [Fact]
    public void The_row_of_policies_links_the_page_of_each()
    {
        string row = Text("README.md").Split('\n').Single(l => l.StartsWith("| policies |", StringComparison.Ordinal));
        WithoutLink(row, "docs/").Should().BeEmpty();
        WithoutLink(row.Replace("rate-limiter.md", "planted.md", StringComparison.Ordinal), "docs/").Should().Equal("rate-limiter.md");
        WithoutLink(Text("docs/README.md"), "").Should().BeEmpty();
    }
}
