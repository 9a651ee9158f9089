using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Resilience.Tests.Architecture;

namespace Resilience.Tests.Docs;

/// <summary>Every C# block of the documents compiles, and every relative link leads to a file.</summary>
public sealed partial class DocumentationTests
{
    private sealed record Block(string File, int Line, string Code, string? Excuse);

    private static IEnumerable<string> Documents() =>
        Repository.Files("docs", "*.md")
            .Concat(Repository.Files("src", "*.md"))
            .Concat(Repository.Files("benchmarks", "README.md"))
            .Concat(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
            .Select(f => Path.IsPathRooted(f) ? f : Path.Combine(Repository.Root, f));

    private static IEnumerable<Block> BlocksOf(string file, string[] lines)
    {
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() != "```csharp") continue;
            int start = i + 1;
            string? excuse = null;
            for (int above = i - 1; above >= 0 && above >= i - 2; above--)
            {
                if (NoCompile().Match(lines[above]) is { Success: true } match) excuse = match.Groups[1].Value.Trim();
            }

            int end = Array.FindIndex(lines, start, l => l.Trim() == "```");
            yield return new(file, start + 1, string.Join('\n', lines[start..end]), excuse);
            i = end;
        }
    }

    private static IEnumerable<Block> AllBlocks() =>
        Documents().SelectMany(f => BlocksOf(Repository.Relative(f), File.ReadAllLines(f)));

    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks; global using Resilience;
        """;

    private static IReadOnlyList<string> ErrorsOf(Block block)
    {
        bool hasTypes = CSharpSyntaxTree.ParseText(block.Code).GetCompilationUnitRoot().Members is { Count: > 0 } members && members.All(m => m is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax);
        string source = hasTypes ? block.Code : $$"""
            static class Snippet
            {
                static HttpClient http = new();
                static async Task RunAsync(CancellationToken cancellationToken)
                {
                    await Task.Yield();
            #line 1
            {{block.Code}}
                }
            }
            """;
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Snippet",
            [CSharpSyntaxTree.ParseText(Usings), CSharpSyntaxTree.ParseText(source)],
            References.Framework.Append(MetadataReference.CreateFromFile(typeof(ResiliencePipeline).Assembly.Location)),
            new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        return [.. compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => $"{block.File}:{block.Line + d.Location.GetMappedLineSpan().StartLinePosition.Line}: {d.GetMessage()}")];
    }

    [Fact]
    public void Every_block_compiles() => AllBlocks().Where(b => b.Excuse is null).SelectMany(ErrorsOf).Should().BeEmpty();

    [Fact]
    public void There_are_blocks_and_few_are_excused_each_with_a_reason()
    {
        Block[] blocks = [.. AllBlocks()];
        blocks.Should().HaveCountGreaterThan(15);
        Block[] excused = [.. blocks.Where(b => b.Excuse is not null && SampleOf(b) is null)];
        excused.Length.Should().BeLessThan(8);
        excused.Where(b => b.Excuse!.Length < 5).Should().BeEmpty();
    }

    /// <summary>A block that is part of a sample need not compile alone: the sample does.</summary>
    private static string? SampleOf(Block block) => PartOfSample().Match(block.Excuse ?? "") is { Success: true } match ? match.Groups[1].Value : null;

    private static string Squeezed(string code) => string.Concat(code.Where(c => !char.IsWhiteSpace(c)));

    [Fact]
    public void Every_block_that_is_part_of_a_sample_stands_there_word_for_word()
    {
        foreach (Block block in AllBlocks().Where(b => SampleOf(b) is not null))
        {
            string sample = string.Concat(Repository.Files(SampleOf(block)!, "*.cs").Concat(Repository.Files("tests/Resilience.Tests/Samples", "*.cs")).Select(f => Squeezed(File.ReadAllText(f))));
            sample.Contains(Squeezed(block.Code), StringComparison.Ordinal).Should().BeTrue("{0}:{1} says that it is part of {2} or its tests", block.File, block.Line, SampleOf(block));
        }
    }

    [Fact]
    public void The_check_finds_a_block_that_does_not_compile()
    {
        ErrorsOf(new("planted.md", 10, "int x = \"no\";", null)).Should().ContainSingle().Which.Should().StartWith("planted.md:10: ");
        ErrorsOf(new("planted.md", 10, "string s = await http.GetStringAsync(\"x\", cancellationToken);", null)).Should().BeEmpty();
        ErrorsOf(new("planted.md", 10, "sealed class C { CircuitBreaker? b; }", null)).Should().BeEmpty();
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file()
    {
        List<string> broken = [];
        foreach (string document in Documents())
        {
            foreach (Match match in Link().Matches(File.ReadAllText(document)))
            {
                string target = match.Groups[1].Value.Split('#')[0];
                if (target.Length == 0 || target.Contains("://", StringComparison.Ordinal)) continue;
                string path = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(document)!, target));
                if (!File.Exists(path) && !Directory.Exists(path)) broken.Add($"{Repository.Relative(document)} → {target}");
            }
        }

        broken.Should().BeEmpty();
    }

    [Fact]
    public void No_document_speaks_of_a_machine() =>
        Documents().Where(d => MachinePath().IsMatch(File.ReadAllText(d))).Select(Repository.Relative).Should().BeEmpty();

    [GeneratedRegex(@"<!--\s*compile:\s*no:(.*?)-->")]
    private static partial Regex NoCompile();

    [GeneratedRegex(@"^part of (samples/\w+)")]
    private static partial Regex PartOfSample();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"(?<![\w.])/(work|tmp|root|home)/")]
    private static partial Regex MachinePath();
}
