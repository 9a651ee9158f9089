using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Resilience.Tests.Architecture;

namespace Resilience.Tests.Docs;

/// <summary>Every C# block of the documents compiles, and every relative link leads to a file.</summary>
public sealed partial class DocumentationTests
{
    private static readonly string[] Skipped = [".git", "BenchmarkDotNet.Artifacts", "TestResults", "artifacts"];

    /// <param name="File">The document.</param>
    /// <param name="Line">Of the first line of code.</param>
    /// <param name="Code">What stands between the fences.</param>
    /// <param name="Excuse">Why it is not compiled, or null.</param>
    /// <param name="IsFile">Said to be a whole file; others may be recognised as one.</param>
    /// <param name="Shown">Namespaces of ours that blocks above it on the page have shown.</param>
    internal sealed record Block(string File, int Line, string Code, string? Excuse = null, bool IsFile = false, string Shown = "");

    private static IEnumerable<string> Documents() =>
        Repository.Files(".", "*.md").Where(f => !Repository.Relative(f).Split('/').Intersect(Skipped).Any());

    internal static IEnumerable<Block> BlocksOf(string file, string[] lines)
    {
        SortedSet<string> shown = new(StringComparer.Ordinal);
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Trim() != "```csharp") continue;
            string[] above = lines[Math.Max(0, i - 2)..i];
            string? excuse = above.Select(l => NoCompile().Match(l)).LastOrDefault(m => m.Success)?.Groups[1].Value.Trim();
            int start = i + 1, end = Array.FindIndex(lines, start, l => l.Trim() == "```");
            if (end < 0) end = lines.Length;
            string code = string.Join('\n', lines[start..end]);
            yield return new(file, start + 1, code, excuse, above.Any(l => l.Trim() == "<!-- compile: file -->"), string.Join(';', shown));
            shown.UnionWith(UsingsOf(code).Where(IsOurs));
            i = end;
        }
    }

    private static IEnumerable<Block> AllBlocks() =>
        Documents().SelectMany(f => BlocksOf(Repository.Relative(f), File.ReadAllLines(f)));

    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks; global using Resilience;
        global using Microsoft.Extensions.Configuration; global using Microsoft.Extensions.DependencyInjection;
        global using Microsoft.Extensions.Options; global using System.Threading.RateLimiting;
        global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Http; global using Npgsql;
        """;

    private static IEnumerable<string> UsingsOf(string code) =>
        CSharpSyntaxTree.ParseText(code).GetCompilationUnitRoot().Usings.Select(u => u.NamespaceOrType.ToString());

    private static bool IsOurs(string space) => space.StartsWith("Resilience.", StringComparison.Ordinal);

    /// <summary>A block with using lines beyond those for a part of ours says all that it needs; another one stands on a page that has been read up to
    /// there: what a reader of it knows is <see cref="Usings"/> and the namespaces of ours that blocks above have shown.</summary>
    private static string UsingsAround(Block block)
    {
        string[] own = [.. UsingsOf(block.Code)];
        if (!IsFile(block) && !own.All(IsOurs)) return ImplicitUsings;
        return Usings + string.Concat(block.Shown.Split(';', StringSplitOptions.RemoveEmptyEntries).Except(own).Select(s => $" global using {s};"));
    }

    private static bool IsFile(Block block) => block.IsFile
        || (CSharpSyntaxTree.ParseText(block.Code).GetCompilationUnitRoot().Members is { Count: > 0 } members
            && members.All(m => m is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax or BaseNamespaceDeclarationSyntax));

    /// <summary>A block is the body of an async method, or a file if it says so or holds nothing but namespaces and types.</summary>
    private static string SourceOf(Block block)
    {
        int usings = EndOfUsings(block);
        return IsFile(block) ? block.Code : $$"""
            #line 1
            {{block.Code[..usings]}}
            #line 1
            static class Snippet
            {
                static HttpClient http = new();
                static Microsoft.Extensions.DependencyInjection.IServiceCollection services = new Microsoft.Extensions.DependencyInjection.ServiceCollection();
                static Microsoft.AspNetCore.Builder.WebApplication app = null!;
                static Microsoft.Extensions.Configuration.IConfiguration configuration = null!;
                static async Task RunAsync(CancellationToken cancellationToken)
                {
                    await Task.Yield();
            #line {{block.Code[..usings].Count(c => c == '\n') + 1}}
            {{block.Code[usings..]}}
                }
            }
            """;
    }

    /// <summary>The ones that the SDK gives to every project.</summary>
    private const string ImplicitUsings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks;
        """;

    /// <summary>What a .proto generates, for the blocks about gRPC.</summary>
    private const string Generated = """
        static class Orders
        {
            public static Google.Protobuf.Reflection.ServiceDescriptor Descriptor => null!;

            public sealed class OrdersClient(Grpc.Core.CallInvoker invoker) : Grpc.Core.ClientBase(invoker);
        }
        """;

    private const string NotNeeded = "CS8019"; // a using line

    /// <summary>Where the using lines at the top of a method's body end: they are put above it. 0 if it has none, or is a file.</summary>
    private static int EndOfUsings(Block block) =>
        !IsFile(block) && CSharpSyntaxTree.ParseText(block.Code).GetCompilationUnitRoot().Usings is { Count: > 0 } usings ? usings.FullSpan.End : 0;

    internal static IReadOnlyList<string> ErrorsOf(Block block)
    {
        int usings = EndOfUsings(block);
        SyntaxTree snippet = CSharpSyntaxTree.ParseText(SourceOf(block));
        CSharpCompilation compilation = CSharpCompilation.Create(
            "Snippet",
            [CSharpSyntaxTree.ParseText(UsingsAround(block)), snippet, CSharpSyntaxTree.ParseText(block.Code.Contains("Orders.OrdersClient", StringComparison.Ordinal) ? Generated : "")],
            References.Packages,
            new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        return [.. compilation.GetDiagnostics()
            .Where(d => d.Severity == DiagnosticSeverity.Error || (usings > 0 && d.Id == NotNeeded && d.Location.SourceTree == snippet))
            .Select(d => $"{block.File}:{block.Line + d.Location.GetMappedLineSpan().StartLinePosition.Line}: {d.GetMessage()}")];
    }

    [Fact]
    public void Every_block_compiles() => AllBlocks().Where(b => b.Excuse is null).SelectMany(ErrorsOf).ToList().Should().BeEmpty();

    [Fact]
    public void There_are_blocks_and_few_are_excused_each_with_a_reason()
    {
        Block[] blocks = [.. AllBlocks()];
        blocks.Should().HaveCountGreaterThan(15);
        Block[] excused = [.. blocks.Where(b => b.Excuse is not null && SampleOf(b) is null)];
        excused.Length.Should().BeLessThan(9); // two of them are compiled by the tests of the analyzers
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
            string sample = string.Concat(Repository.Files(SampleOf(block)!, "*.cs").Concat(Repository.Files("tests/repository/Resilience.Repository.Tests/Samples", "*.cs")).Select(f => Squeezed(File.ReadAllText(f))));
            sample.Contains(Squeezed(block.Code), StringComparison.Ordinal).Should().BeTrue("{0}:{1} says that it is part of {2} or its tests", block.File, block.Line, SampleOf(block));
        }
    }

    [Theory]
    [InlineData("int x = \"no\";", "planted.md:10: *")]
    [InlineData("int x = 1;\nx = NoSuchThing;", "planted.md:11: *NoSuchThing*")]
    [InlineData("using System.Text;\n\nResiliencePipelineBuilder b = new();\nStringBuilder s = new();", "planted.md:12: *ResiliencePipelineBuilder*")]
    [InlineData("using Resilience;\nusing System.Text;\n\nResiliencePipelineBuilder b = new();", "planted.md:11: *")]
    [InlineData("sealed class C { NoSuchThing? b; }", "planted.md:10: *NoSuchThing*")]
    [InlineData("internal sealed class C { RetryLink<int>? b; }", "planted.md:10: *")]
    [InlineData("IdempotencyKey key = default;", "planted.md:10: *IdempotencyKey*")]
    [InlineData("using Resilience.Chaos;\n\nResiliencePipelineBuilder b = new();", "planted.md:10: *")]
    public void The_check_finds_a_block_that_does_not_compile(string code, string complaint) =>
        ErrorsOf(new("planted.md", 10, code)).Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("string s = await http.GetStringAsync(\"x\", cancellationToken);", false)]
    [InlineData("sealed class C { CircuitBreaker? b; }", false)]
    [InlineData("namespace Shop;\nsealed class C { CircuitBreaker? b; }", false)]
    [InlineData("using Resilience;\n\nResiliencePipelineBuilder b = new();", false)]
    [InlineData("using Resilience.Idempotency;\n\nResiliencePipelineBuilder b = new();\nIdempotencyKey key = default;", false)]
    [InlineData("using System.Text;\n[assembly: CLSCompliant(false)]\nclass C { StringBuilder? b; }", true)]
    public void The_check_lets_a_block_pass_that_compiles(string code, bool isFile) =>
        ErrorsOf(new("planted.md", 10, code, IsFile: isFile)).Should().BeEmpty();

    [Fact]
    public void Marks_above_a_block_are_read()
    {
        string[] lines = ["<!-- compile: no: it is a sketch -->", "```csharp", "x", "```", "", "", "<!-- compile: file -->", "", "```csharp", "y", "```", "", "```csharp", "z"];
        BlocksOf("planted.md", lines).Should().Equal(
            new Block("planted.md", 3, "x", "it is a sketch"), new Block("planted.md", 10, "y", IsFile: true), new Block("planted.md", 14, "z"));
    }

    [Fact]
    public void A_namespace_that_a_page_has_shown_is_known_further_down()
    {
        string[] lines = ["```csharp", "using Resilience.Idempotency;", "", "IdempotencyKey key = default;", "```", "```csharp", "IdempotencyKey key = default;", "```"];
        Block[] blocks = [.. BlocksOf("planted.md", lines)];
        blocks.SelectMany(ErrorsOf).Should().BeEmpty();
        ErrorsOf(blocks[1] with { Shown = "" }).Should().NotBeEmpty();
    }

    /// <summary>Fences that a reader would take for C# but that the checks above would pass over.</summary>
    private static IEnumerable<string> OddFences(string file, string[] lines) => lines
        .Select((line, i) => (Fence: line.Trim(), Place: $"{file}:{i + 1}"))
        .Where(l => OddFence().IsMatch(l.Fence) && l.Fence != "```csharp")
        .Select(l => $"{l.Place} opens with {l.Fence}, write ```csharp");

    [Fact]
    public void No_block_escapes_by_the_name_of_its_language()
    {
        Documents().SelectMany(f => OddFences(Repository.Relative(f), File.ReadAllLines(f))).ToList().Should().BeEmpty();
        OddFences("planted.md", ["```cs", "```C#", "~~~csharp", "```csharp title=x", "```csharp", "```", "```css"]).Should().HaveCount(4);
    }

    /// <summary>The names by which a heading can be linked to, as the usual hosts make them.</summary>
    private static HashSet<string> Anchors(string[] lines)
    {
        HashSet<string> anchors = [];
        bool inCode = false;
        foreach (string line in lines)
        {
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal)) inCode = !inCode;
            if (inCode || Heading().Match(line) is not { Success: true } heading) continue;
            string text = LinkText().Replace(heading.Groups[1].Value, "$1").Trim();
            string slug = string.Concat(text.ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is '-' or '_' or ' ')).Replace(' ', '-');
            for (int n = 0; !anchors.Add(n == 0 ? slug : $"{slug}-{n}"); n++)
            {
            }
        }

        return anchors;
    }

    private static IEnumerable<string> BrokenLinks(string document, string text)
    {
        foreach (Match match in Link().Matches(text).Concat(Definition().Matches(text)))
        {
            string[] target = match.Groups[1].Value.Split('#', 2);
            if (target[0].Contains("://", StringComparison.Ordinal) || target[0].StartsWith("mailto:", StringComparison.Ordinal)) continue;
            string path = target[0].Length == 0 ? document : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(document)!, target[0]));
            if (path != document && !File.Exists(path) && !Directory.Exists(path)) yield return $"{Repository.Relative(document)} → {match.Groups[1].Value}";
            else if (target.Length > 1 && path.EndsWith(".md", StringComparison.Ordinal) && !Anchors(path == document ? text.Split('\n') : File.ReadAllLines(path)).Contains(target[1]))
                yield return $"{Repository.Relative(document)} → {match.Groups[1].Value}: no such heading";
        }
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file_and_a_heading()
    {
        Documents().SelectMany(d => BrokenLinks(d, File.ReadAllText(d))).ToList().Should().BeEmpty();
        string planted = Path.Combine(Repository.Root, "docs", "planted.md");
        BrokenLinks(planted, "## A heading: `with` Code\n[1](../README.md) [2](#a-heading-with-code) [3](https://example.org/x.md) [4](../src)\n").Should().BeEmpty();
        BrokenLinks(planted, "[1](nowhere.md) [2](#no-heading) [3](../README.md#no-heading) ![4](no.png)\n\n[5]: nowhere.md\n").Should().HaveCount(5);
    }

    [Fact]
    public void No_document_speaks_of_a_machine()
    {
        Documents().Where(d => MachinePath().IsMatch(File.ReadAllText(d))).Select(Repository.Relative).ToList().Should().BeEmpty();
        MachinePath().Matches("see /tmp/x, (/work/main), `/root` and /home/me").Should().HaveCount(4);
        MachinePath().IsMatch("https://example.org/work/x ../tmp/y and /temperature").Should().BeFalse();
    }

    [GeneratedRegex(@"<!--\s*compile:\s*no:(.*?)-->")]
    private static partial Regex NoCompile();

    [GeneratedRegex(@"^part of ((?:samples|tests)/[\w./]+)")]
    private static partial Regex PartOfSample();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^\[[^\]]+\]:\s*(\S+)", RegexOptions.Multiline)]
    private static partial Regex Definition();

    [GeneratedRegex(@"^#{1,6}\s+(.+?)\s*#*$")]
    private static partial Regex Heading();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex(@"^(```|~~~)\s*(csharp|cs|c#)(\W|$)", RegexOptions.IgnoreCase)]
    private static partial Regex OddFence();

    [GeneratedRegex(@"(?<![\w.])/(work|tmp|root|home)\b")]
    private static partial Regex MachinePath();
}
