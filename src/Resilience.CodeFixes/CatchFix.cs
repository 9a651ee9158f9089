using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Editing;
using Microsoft.CodeAnalysis.Formatting;

namespace Resilience.CodeFixes;

/// <summary>Lets failures out to the pipeline. Where the substitute belongs is for the author to say. RES110.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(CatchFix)), Shared]
public sealed class CatchFix() : Fix("Let the exception out to the pipeline", "RES110")
{
    private protected override Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope)
    {
        if (at.FirstAncestorOrSelf<CatchClauseSyntax>() is not { Parent: TryStatementSyntax tried } clause) return null;
        if (clause.CatchKeyword.SpanStart != at.SpanStart) return null;
        if (tried.Parent is not BlockSyntax block) return null;
        int place = block.Statements.IndexOf(tried);
        string? caught = clause.Declaration?.Type.ToString();
        return editor => editor.ReplaceNode(block, (b, _) => Without((BlockSyntax)b, place, caught).WithAdditionalAnnotations(Formatter.Annotation));
    }

    /// <summary>The clause is told by what it catches: its neighbors may be gone by now.</summary>
    private static BlockSyntax Without(BlockSyntax block, int place, string? caught)
    {
        if (block.Statements[place] is not TryStatementSyntax now) return block;
        SyntaxList<CatchClauseSyntax> left = now.Catches.Remove(now.Catches.First(c => c.Declaration?.Type.ToString() == caught));
        if (left.Count > 0 || now.Finally is not null) return block.WithStatements(block.Statements.Replace(now, now.WithCatches(left)));
        return block.WithStatements(block.Statements.ReplaceRange(
            now, now.Block.Statements.Select((s, i) => i == 0 ? s.WithLeadingTrivia(now.GetLeadingTrivia()) : s)));
    }
}
