using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Resilience.Tests;

namespace Resilience.Analyzers.Tests;

/// <summary>The samples and documents of this repository are held to what the analyzers say, and the page about them is held to the analyzers.</summary>
public sealed partial class TreeTests
{
    private const string Page = "docs/analyzers.md";

    public static TheoryData<string> Samples() =>
        [.. Directory.GetDirectories(Path.Combine(Repository.Root, "samples")).Where(d => Directory.GetFiles(d, "*.csproj").Length > 0).Select(d => Path.GetFileName(d)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task The_samples_make_none_of_the_mistakes(string sample)
    {
        Compilation compilation = Analysis.Compile(
            Repository.Files($"samples/{sample}", "*.cs").Select(f => Analysis.Parse(File.ReadAllText(f), Repository.Relative(f))), isProgram: true);
        (await Analysis.RunAsync(compilation)).Select(d => d.ToString()).Should().BeEmpty();
    }

    private static IEnumerable<(string Place, string Code)> BlocksOf(string document, string text) =>
        Fence().Matches(text.Replace("\r\n", "\n", StringComparison.Ordinal)).Select(m => ($"{document}:{text[..m.Index].Count(c => c == '\n') + 1}", m.Groups[1].Value));

    /// <summary>A block of statements is what a program does when it starts.</summary>
    private static SyntaxTree TreeOf((string Place, string Code) block)
    {
        CompilationUnitSyntax unit = CSharpSyntaxTree.ParseText(block.Code).GetCompilationUnitRoot();
        int usings = unit.Usings is { Count: > 0 } own ? own.FullSpan.End : 0;
        bool isFile = unit.Members is { Count: > 0 } members
            && members.All(m => m is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax or BaseNamespaceDeclarationSyntax);
        return Analysis.Parse(
            isFile ? block.Code : $$"""
                {{block.Code[..usings]}}
                static class Program
                {
                    static HttpClient http = new();
                    static IServiceCollection services = new ServiceCollection();
                    static WebApplication app = null!;
                    static IConfiguration configuration = null!;
                    static async Task Main()
                    {
                        CancellationToken cancellationToken = default;
                        {{block.Code[usings..]}}
                    }
                }
                """,
            block.Place);
    }

    [Fact]
    public async Task The_documents_make_none_of_the_mistakes()
    {
        string[] documents = [.. Repository.Files("docs", "*.md").Append(Path.Combine(Repository.Root, "README.md")).Where(f => Repository.Relative(f) != Page)];
        int compiled = 0;
        List<string> found = [];
        foreach ((string Place, string Code) block in documents.SelectMany(f => BlocksOf(Repository.Relative(f), File.ReadAllText(f))))
        {
            Compilation compilation = Analysis.Compile([TreeOf(block)], isProgram: false);
            if (Analysis.HasErrors(compilation, out _)) continue; // it needs a store's package, or is part of a sample
            compiled++;
            found.AddRange((await Analysis.RunAsync(compilation)).Select(d => d.ToString()));
        }

        found.Should().BeEmpty();
        compiled.Should().BeGreaterThan(60);
    }

    /// <summary>In the page of the analyzers each rule shows the wrong code first and the right code after it.</summary>
    [Fact]
    public async Task The_page_of_each_rule_shows_what_it_reports_and_what_it_does_not()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, Page));
        string[] sections = text.Split("\n## ");
        foreach (string id in Analysis.Ids)
        {
            string section = sections.Should().ContainSingle(s => s.StartsWith(id + "\n", StringComparison.Ordinal), "{0} has a heading of its own", id).Subject;
            (string Place, string Code)[] blocks = [.. BlocksOf(id, section)];
            blocks.Should().HaveCount(2, "{0} has a wrong example and a right one", id);
            (await IdsOfAsync(blocks[0])).Should().Equal(id);
            (await IdsOfAsync(blocks[1])).Should().BeEmpty("{0} is right", id);
            section.Should().Contain("**Suppress**");
        }
    }

    private static async Task<IReadOnlyList<string>> IdsOfAsync((string Place, string Code) block)
    {
        Compilation compilation = Analysis.CompileWith(SdkTests.Sdks + TransportTests.Source, TreeOf(block));
        Analysis.HasErrors(compilation, out string error).Should().BeFalse("{0}: {1}", block.Place, error);
        return [.. (await Analysis.RunAsync(compilation)).Select(d => d.Id)];
    }

    [Fact]
    public void Every_rule_is_tracked_and_leads_to_its_paragraph()
    {
        string[] tracked = [.. new[] { "Shipped", "Unshipped" }.SelectMany(s => File.ReadAllLines(Path.Combine(Repository.Root, "src", "Resilience.Analyzers", $"AnalyzerReleases.{s}.md")))
            .Where(l => l.StartsWith("RES", StringComparison.Ordinal)).Select(l => l.Split('|')[0].Trim())];
        tracked.Should().BeEquivalentTo(Analysis.Ids);
        Analysis.Ids.Should().OnlyHaveUniqueItems();
        string root = Rules.HelpRootOf(typeof(Rules).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>());
        foreach (DiagnosticDescriptor rule in Analysis.All.SelectMany(a => a.SupportedDiagnostics))
        {
            rule.HelpLinkUri.Should().Be($"{root}docs/analyzers.md#{rule.Id.ToLowerInvariant()}");
            rule.MessageFormat.ToString(System.Globalization.CultureInfo.InvariantCulture).Should().Contain(";", "what is wrong; what to do").And.NotEndWith(".");
        }
    }

    [Fact]
    public void The_links_lead_to_where_the_publisher_says()
    {
        Rules.HelpRootOf([new("Other", "x"), new("HelpRoot", "https://example.org/r/blob/v1/")]).Should().Be("https://example.org/r/blob/v1/");
        Rules.HelpRootOf([new("Other", "x")]).Should().BeEmpty();
    }

    [GeneratedRegex("^```csharp\n(.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();
}
