using System.Text.RegularExpressions;
using System.Xml.Linq;
using Resilience.Tests.Docs.Running;

namespace Resilience.Tests.Docs;

/// <summary>A page of a package begins with what a newcomer types: the command that adds it, then code with the using lines that it needs.</summary>
public sealed partial class PackagePagesTests
{
    private const string Planted = "# P\n\n    dotnet add package P\n\n```csharp\nusing Resilience;\n\nResiliencePipelineBuilder b = new();\n```\n";

    private static XDocument Project(string package) => XDocument.Load(Path.Combine(Repository.Root, "src", package, $"{package}.csproj"));

    private static string[] Packages { get; } =
    [
        .. Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*").Select(d => Path.GetFileName(d))
            .Where(p => !Project(p).Descendants("IsPackable").Any(e => e.Value == "false")).Order(StringComparer.Ordinal),
    ];

    private static IEnumerable<string> Complaints(string file, string text, string package)
    {
        string[] lines = Comment().Replace(text, "").Split('\n');
        int command = Array.FindIndex(lines, l => l.StartsWith("    ", StringComparison.Ordinal) || l.StartsWith("```", StringComparison.Ordinal));
        if (command is < 0 or > 6 || lines[command] != $"    dotnet add package {package}")
            yield return $"{file} does not begin with 'dotnet add package {package}'";
        Block? first = Block.Of(file, lines).FirstOrDefault();
        if (first is null || first.Line > 12) yield return $"{file} shows no code at its top";
        else if (!first.Code.StartsWith("using ", StringComparison.Ordinal)) yield return $"{file}:{first.Line} has no using line";
        else
        {
            foreach (string error in new CompiledBlocks([first]).Errors) yield return error;
        }
    }

    [Fact]
    public void Every_page_of_a_package_begins_with_its_command_and_the_usings_of_its_code()
    {
        Packages.Should().HaveCountGreaterThan(7);
        Packages
            .SelectMany(p => Complaints($"src/{p}/README.md", File.ReadAllText(Path.Combine(Repository.Root, "src", p, "README.md")), p)).ShouldBeNone();
        Complaints("README.md", File.ReadAllText(Path.Combine(Repository.Root, "README.md")), "Resilience.Core").ShouldBeNone();
    }

    [Theory]
    [InlineData(Planted, "")]
    [InlineData("# P\n\n    dotnet add package Q\n\n```csharp\nusing Resilience;\n\nResiliencePipelineBuilder b = new();\n```\n", "P.md does not begin *")]
    [InlineData("# P\n\nText.\n\n```csharp\nusing Resilience;\n\nResiliencePipelineBuilder b = new();\n```\n", "P.md does not begin *")]
    [InlineData("# P\n\n    dotnet add package P\n", "P.md shows no code *")]
    [InlineData("# P\n\n    dotnet add package P\n\n```csharp\nResiliencePipelineBuilder b = new();\n```\n", "P.md:6 has no using line")]
    [InlineData(
        "# P\n\n    dotnet add package P\n\n```csharp\nusing System.Text;\n\nResiliencePipelineBuilder b = new();\nStringBuilder s = new();\n```\n", "P.md:8: *ResiliencePipelineBuilder*")]
    public void The_check_finds_a_planted_page(string text, string complaint)
    {
        if (complaint.Length == 0) Complaints("P.md", text, "P").ShouldBeNone();
        else Complaints("P.md", text, "P").Should().ContainSingle().Which.Should().Match(complaint);
    }

    [GeneratedRegex("<!--.*?-->\n", RegexOptions.Singleline)]
    private static partial Regex Comment();

    /// <summary>What the registry finds a package by.</summary>
    private static List<string> TagFaults(IEnumerable<(string Package, string? Tags)> packages)
    {
        List<string> faults = [];
        foreach ((string package, string? tags) in packages)
        {
            string[] one = (tags ?? "").Split(';', StringSplitOptions.TrimEntries);
            if (one.Any(t => t.Length == 0)) faults.Add($"{package} has no tags, or an empty one");
            faults.AddRange(one.Where(t => t.Length > 0 && !Tag().IsMatch(t)).Select(t => $"{package}: '{t}' is no tag"));
            faults.AddRange(one.GroupBy(t => t).Where(g => g.Count() > 1 && g.Key.Length > 0).Select(g => $"{package} says '{g.Key}' twice"));
        }

        faults.AddRange(packages.Where(p => p.Tags is not null).GroupBy(p => string.Join(';', p.Tags!.Split(';').Order(StringComparer.Ordinal)))
            .Where(g => g.Count() > 1).Select(g => $"{string.Join(" and ", g.Select(p => p.Package))} are found by the same tags"));
        return faults;
    }

    [Fact]
    public void Every_package_has_tags_of_its_own()
    {
        (string Package, string? Tags)[] packages = [.. Packages.Select(p => (p, Project(p).Descendants("PackageTags").SingleOrDefault()?.Value))];
        TagFaults(packages).ShouldBeNone();
        TagFaults([("A", null), ("B", "x;;y"), ("C", "p;q"), ("D", "q;p"), ("E", "r;r"), ("F", "two words")]).Should().Equal(
            "A has no tags, or an empty one", "B has no tags, or an empty one", "E says 'r' twice", "F: 'two words' is no tag",
            "C and D are found by the same tags");
    }

    [Fact]
    public void The_publisher_finds_every_package_id_in_one_list()
    {
        string section = File.ReadAllText(Path.Combine(Repository.Root, "CONTRIBUTING.md")).Split("\n## Publishing\n")[1].Split("\n## ")[0];
        Id().Matches(section).Select(m => m.Groups[1].Value).Distinct().Should().BeEquivalentTo(Packages);
    }

    [GeneratedRegex("^[a-z0-9.]+(-[a-z0-9.]+)*$")]
    private static partial Regex Tag();

    [GeneratedRegex(@"^- `(Resilience\.[\w.]+)`", RegexOptions.Multiline)]
    private static partial Regex Id();
}
