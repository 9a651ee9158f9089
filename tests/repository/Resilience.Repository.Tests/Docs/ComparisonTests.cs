using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs;

/// <summary>What the comparison with other packages promises is a test: each name in its table is one.</summary>
public sealed partial class ComparisonTests
{
    private static readonly Lazy<HashSet<string>> Tests = new(() => [.. Repository.Files("tests", "*.cs").SelectMany(TestsOf)]);

    [Theory]
    [InlineData("docs/moving-from-microsoft-http-resilience.md", 35)]
    [InlineData("docs/moving-from-polly.md", 20)]
    [InlineData("docs/http-client.md", 12)]
    [InlineData("docs/idempotency/faults-elsewhere.md", 35)]
    [InlineData("docs/idempotency/behaviours.md", 120)]
    [InlineData("docs/verification.md", 35)]
    public void Every_fault_in_the_table_names_a_test_that_exists(string document, int atLeast)
    {
        string[] lines = File.ReadAllLines(Path.Combine(Repository.Root, document));
        string[] named = [.. lines.Where(l => l.StartsWith('|')).Select(l => TestName().Match(l)).Where(m => m.Success).Select(m => m.Groups[1].Value)];
        named.Should().HaveCountGreaterThan(atLeast);
        named.Where(n => !Tests.Value.Contains(n)).ShouldBeNone();
    }

    /// <summary>The contract suite and the page of behaviours say the same: no law without a line, no line with a law that is none.</summary>
    [Fact]
    public void Every_law_of_the_stores_has_a_line_in_the_page_of_behaviours_and_every_line_a_law_that_exists()
    {
        string[] named = [.. File.ReadAllLines(Path.Combine(Repository.Root, "docs/idempotency/behaviours.md"))
            .Select(l => LawName().Match(l)).Where(m => m.Success).Select(m => m.Groups[1].Value)];
        string[] laws = [.. Repository.Files("src/Resilience.Testing", "*.cs")
            .SelectMany(f => Law().Matches(File.ReadAllText(f)).Select(m => m.Groups[1].Value))];

        laws.Should().HaveCountGreaterThan(40);
        named.Should().BeEquivalentTo(laws);
    }

    [GeneratedRegex(@"^\|.*\| \*([A-Z][^*|]+)\* \| `")]
    private static partial Regex LawName();

    [GeneratedRegex(@"\bLaw\(""([^""]+)"",")]
    private static partial Regex Law();

    /// <summary>The tables of proofs name classes.</summary>
    [Theory]
    [InlineData("docs/verification.md", 15)]
    [InlineData("docs/verification/deep.md", 0)]
    [InlineData("docs/verification/mutants.md", 0)]
    public void Every_class_of_tests_that_a_page_names_exists(string document, int atLeast)
    {
        string[] named = [.. TestClass().Matches(File.ReadAllText(Path.Combine(Repository.Root, document))).Select(m => m.Groups[1].Value).Distinct()];
        named.Should().HaveCountGreaterThanOrEqualTo(atLeast);
        HashSet<string> classes = [.. Repository.Files("tests", "*Tests.cs").Select(f => Path.GetFileNameWithoutExtension(f)!)];
        named.Where(n => !classes.Contains(n)).ShouldBeNone();
    }

    [GeneratedRegex(@"`([A-Z]\w+Tests)`")]
    private static partial Regex TestClass();

    [GeneratedRegex(@"`([A-Z][a-z0-9]*(?:_[A-Za-z0-9]+){2,})` \|$")]
    private static partial Regex TestName();

    private static IEnumerable<string> TestsOf(string file) =>
        from method in CSharpSyntaxTree.ParseText(File.ReadAllText(file)).GetRoot().DescendantNodes().OfType<MethodDeclarationSyntax>()
        where method.AttributeLists.SelectMany(l => l.Attributes).Any(a => a.Name.ToString() is { } name
            && (name.EndsWith("Fact", StringComparison.Ordinal) || name.EndsWith("Theory", StringComparison.Ordinal)))
        select method.Identifier.Text;
}
