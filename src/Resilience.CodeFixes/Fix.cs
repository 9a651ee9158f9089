using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.Editing;

namespace Resilience.CodeFixes;

/// <summary>A repair of one mistake. All places of a document are repaired together, so that repairs of neighbors know of each other.</summary>
public abstract class Fix : CodeFixProvider
{
    private readonly string _title;

    private protected Fix(string title, params string[] ids)
    {
        _title = title;
        FixableDiagnosticIds = [.. ids];
    }

    /// <inheritdoc/>
    public sealed override ImmutableArray<string> FixableDiagnosticIds { get; }

    /// <inheritdoc/>
    public sealed override FixAllProvider GetFixAllProvider() => new FixAll(this);

    /// <inheritdoc/>
    public sealed override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        if (await FixScope.OfAsync(context.Document, context.CancellationToken).ConfigureAwait(false) is not { } scope) return;
        foreach (Diagnostic diagnostic in context.Diagnostics)
        {
            SyntaxNode at = scope.NodeAt(diagnostic);
            if (Plan(at, scope) is null) continue;
            context.RegisterCodeFix(
                CodeAction.Create(TitleAt(at), c => ApplyAsync(context.Document, [diagnostic], c), equivalenceKey: diagnostic.Id), diagnostic);
        }
    }

    /// <summary>What to do at a place; null where no repair is right for all that can be seen.</summary>
    private protected abstract Action<SyntaxEditor>? Plan(SyntaxNode at, FixScope scope);

    /// <summary>What the repair of this place is called.</summary>
    private protected virtual string TitleAt(SyntaxNode at) => _title;

    private async Task<Document> ApplyAsync(Document document, ImmutableArray<Diagnostic> diagnostics, CancellationToken cancellation)
    {
        if (await FixScope.OfAsync(document, cancellation).ConfigureAwait(false) is not { } scope) return document;
        SyntaxEditor editor = new(scope.Root, document.Project.Solution.Workspace.Services);
        IEnumerable<SyntaxNode> inner = diagnostics.Select(scope.NodeAt).Distinct()
            .OrderByDescending(static n => n.Ancestors().Count()).ThenBy(static n => n.SpanStart);
        foreach (SyntaxNode at in inner) Plan(at, scope)?.Invoke(editor);
        return document.WithSyntaxRoot(editor.GetChangedRoot());
    }

    private sealed class FixAll(Fix fix) : DocumentBasedFixAllProvider
    {
        protected override async Task<Document?> FixAllAsync(FixAllContext fixAllContext, Document document, ImmutableArray<Diagnostic> diagnostics) =>
            await fix.ApplyAsync(document, diagnostics, fixAllContext.CancellationToken).ConfigureAwait(false);
    }
}
