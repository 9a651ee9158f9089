using System.Text.RegularExpressions;
using Resilience.Tests.Docs.Running;

namespace Resilience.Tests.Docs;

/// <summary>Every C# block of the documents compiles, and every relative link leads to a file.</summary>
public sealed partial class DocumentationTests
{
    private static IReadOnlyList<string> ErrorsOf(Block block) => new CompiledBlocks([block]).Errors;

    [Fact]
    public void Every_block_compiles() => CompiledBlocks.OfDocuments.Errors.ShouldBeNone();

    private static string Squeezed(string code) => string.Concat(code.Where(c => !char.IsWhiteSpace(c)));

    [Fact]
    public void Every_block_that_is_part_of_a_sample_stands_there_word_for_word()
    {
        foreach (Block block in Block.All.Where(b => b.SampleOf is not null))
        {
            string sample = string.Concat(Repository.Files(block.SampleOf!, "*.cs")
                .Concat(Repository.Files("tests/repository/Resilience.Repository.Tests/Samples", "*.cs")).Select(f => Squeezed(File.ReadAllText(f))));
            sample.Contains(Squeezed(block.Code), StringComparison.Ordinal)
                .Should().BeTrue("{0} says that it is part of {1} or its tests", block.Place, block.SampleOf);
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
        ErrorsOf(Block.Of("planted.md", isFile ? ["<!-- compile: file -->", "```csharp", code, "```"] : ["```csharp", code, "```"]).Single())
            .ShouldBeNone();

    [Fact]
    public void A_namespace_that_a_page_has_shown_is_known_further_down()
    {
        string[] lines = ["```csharp", "using Resilience.Idempotency;", "", "IdempotencyKey key = default;", "```", "```csharp",
            "IdempotencyKey key = default;", "```"];
        Block[] blocks = [.. Block.Of("planted.md", lines)];
        new CompiledBlocks(blocks).Errors.ShouldBeNone();
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
        Block.Documents.SelectMany(f => OddFences(Repository.Relative(f), File.ReadAllLines(f))).ShouldBeNone();
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
            else if (target.Length > 1 && path.EndsWith(".md", StringComparison.Ordinal)
                && !Anchors(path == document ? text.Split('\n') : File.ReadAllLines(path)).Contains(target[1]))
                yield return $"{Repository.Relative(document)} → {match.Groups[1].Value}: no such heading";
        }
    }

    [Fact]
    public void Every_relative_link_leads_to_a_file_and_a_heading()
    {
        Block.Documents.SelectMany(d => BrokenLinks(d, File.ReadAllText(d))).ShouldBeNone();
        string planted = Path.Combine(Repository.Root, "docs", "planted.md");
        BrokenLinks(planted, "## A heading: `with` Code\n[1](../README.md) [2](#a-heading-with-code) [3](https://example.org/x.md) [4](../src)\n")
            .ShouldBeNone();
        BrokenLinks(planted, "[1](nowhere.md) [2](#no-heading) [3](../README.md#no-heading) ![4](no.png)\n\n[5]: nowhere.md\n").Should().HaveCount(5);
    }

    [Fact]
    public void No_document_speaks_of_a_machine()
    {
        Block.Documents.Where(d => MachinePath().IsMatch(File.ReadAllText(d))).Select(Repository.Relative).ShouldBeNone();
        MachinePath().Matches("see /tmp/x, (/work/main), `/root` and /home/me").Should().HaveCount(4);
        MachinePath().IsMatch("https://example.org/work/x ../tmp/y and /temperature").Should().BeFalse();
    }

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
