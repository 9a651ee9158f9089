using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Docs.Running;

/// <param name="File">The document.</param>
/// <param name="Line">Of the first line of code.</param>
/// <param name="Code">What stands between the fences.</param>
internal sealed partial record Block(string File, int Line, string Code)
{
    private CompilationUnitSyntax? _syntax;

    internal BlockMark Mark { get; init; } = new();

    /// <summary>Namespaces of ours that blocks above it on the page have shown.</summary>
    internal string Shown { get; init; } = "";

    /// <summary>The last configuration that the page has shown above it.</summary>
    internal string? Json { get; init; }

    internal string Place => $"{File}:{Line}";

    /// <summary>A block that is part of a sample need not compile alone: the sample does.</summary>
    internal string? SampleOf => PartOfSample().Match(Mark.NotCompiled ?? "") is { Success: true } match ? match.Groups[1].Value : null;

    internal bool IsRun => Mark is { NotCompiled: null, NotRun: null, RunBy: null };

    internal CompilationUnitSyntax Syntax => _syntax ??= CSharpSyntaxTree.ParseText(Code).GetCompilationUnitRoot();

    /// <summary>It holds nothing but namespaces and types, or says that it is a whole file; others are the body of an async method.</summary>
    internal bool IsFile => Mark.IsFile || (Syntax.Members is { Count: > 0 } members
        && members.All(m => m is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax or BaseNamespaceDeclarationSyntax));

    internal IEnumerable<string> Usings => Syntax.Usings.Select(u => u.NamespaceOrType.ToString());

    /// <summary>Lines of output, as comments at the ends of lines and as the mark says them.</summary>
    internal IReadOnlyList<string> Prints => [.. PrintsComment().Matches(Code).Select(m => m.Groups[1].Value.Trim()), .. Mark.Prints];

    internal static IEnumerable<Block> Of(string file, string[] lines)
    {
        SortedSet<string> shown = new(StringComparer.Ordinal);
        string? json = null;
        for (int i = 0; i < lines.Length; i++)
        {
            string fence = lines[i].Trim();
            if (!fence.StartsWith("```", StringComparison.Ordinal)) continue;
            int start = i + 1, end = Array.FindIndex(lines, start, l => l.Trim() == "```");
            if (end < 0) end = lines.Length;
            string code = string.Join('\n', lines[start..end]);
            if (fence == "```json") json = code;
            if (fence == "```csharp")
            {
                Block block = new(file, start + 1, code) { Mark = BlockMark.Above(lines, i), Shown = string.Join(';', shown), Json = json };
                yield return block;
                shown.UnionWith(block.Usings.Where(IsOurs));
            }

            i = end;
        }
    }

    internal static bool IsOurs(string space) => space.StartsWith("Resilience.", StringComparison.Ordinal);

    internal static IEnumerable<string> Documents { get; } =
        [.. Repository.Files(".", "*.md")
            .Where(f => !Repository.Relative(f).Split('/').Intersect([".git", "BenchmarkDotNet.Artifacts", "TestResults", "artifacts"]).Any())];

    internal static IReadOnlyList<Block> All { get; } =
        [.. Documents.SelectMany(f => Of(Repository.Relative(f), System.IO.File.ReadAllLines(f)))];

    [GeneratedRegex(@"^part of ((?:samples|tests)/[\w./]+)")]
    private static partial Regex PartOfSample();

    [GeneratedRegex(@"//\s*prints:(.*)$", RegexOptions.Multiline)]
    private static partial Regex PrintsComment();
}
