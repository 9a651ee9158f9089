using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Formatting;
using Microsoft.CodeAnalysis.Simplification;

namespace Resilience.Migration;

/// <summary>Moves projects. One place alone is never moved: what makes a pipeline, holds it and runs it belongs together, so each of the rules moves all
/// that can be moved, and the first one that is run leaves nothing to the others but comments.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(MoveFix)), Shared]
public sealed class MoveFix : CodeFixProvider
{
    private const string Title = "Move the project to Resilience";

    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds { get; } = [.. MigrationRules.All.Select(static r => r.Id)];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => new All();

    /// <inheritdoc/>
    public override Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        Project project = context.Document.Project;
        foreach (Diagnostic diagnostic in context.Diagnostics)
            context.RegisterCodeFix(CodeAction.Create(Title, c => MoveAsync(project.Solution, [project.Id], c), equivalenceKey: Title), diagnostic);
        return Task.CompletedTask;
    }

    private static async Task<Solution> MoveAsync(Solution solution, IEnumerable<ProjectId> projects, CancellationToken cancellation)
    {
        foreach (ProjectId id in projects)
        {
            Project project = solution.GetProject(id)!;
            if (await project.GetCompilationAsync(cancellation).ConfigureAwait(false) is not { } compilation) continue;
            MovePlan plan = MovePlan.Of(compilation, static (c, t) => c.GetSemanticModel(t), cancellation);
            foreach (KeyValuePair<SyntaxTree, SyntaxNode> change in plan.Changed)
            {
                if (project.GetDocumentId(change.Key) is not { } document) continue;
                SyntaxNode root = change.Value.ReplaceNodes(
                    change.Value.GetAnnotatedNodes(MoveRewriter.UnitMark),
                    static (_, n) => n.WithAdditionalAnnotations(Formatter.Annotation));
                root = root.ReplaceNodes(root.DescendantNodes().Where(IsInFull), static (_, n) => n.WithAdditionalAnnotations(Simplifier.Annotation));
                solution = solution.WithDocumentSyntaxRoot(document, root);
            }
        }

        return solution;
    }

    /// <summary>A name of ours beside names of Polly.</summary>
    private static bool IsInFull(SyntaxNode node) => node is QualifiedNameSyntax or MemberAccessExpressionSyntax
        && node.ToString() is var text && text.StartsWith("global::Resilience.", StringComparison.Ordinal) && text.IndexOf('(') < 0;

    private sealed class All : FixAllProvider
    {
        public override Task<CodeAction?> GetFixAsync(FixAllContext fixAllContext)
        {
            ProjectId[] projects = fixAllContext.Scope == FixAllScope.Solution ? [.. fixAllContext.Solution.ProjectIds] : [fixAllContext.Project.Id];
            return Task.FromResult<CodeAction?>(CodeAction.Create(Title, c => MoveAsync(fixAllContext.Solution, projects, c), equivalenceKey: Title));
        }
    }
}
