using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;

namespace Resilience.Analyzers.Tests;

/// <summary>Runs code fixes over documents as an editor and <c>dotnet format</c> do.</summary>
internal static class Repair
{
    /// <summary>One place of a mistake, repaired; null when no repair is offered.</summary>
    internal static async Task<Solution?> OneAsync(Solution solution, Diagnostic first, CodeFixProvider fix)
    {
        Document document = solution.GetDocument(first.Location.SourceTree)!;
        List<CodeAction> actions = [];
        await fix.RegisterCodeFixesAsync(new CodeFixContext(document, first, (action, _) => actions.Add(action), default));
        return actions.Count == 0 ? null : await ChangedAsync(actions[0]);
    }

    internal static async Task<Solution> AllAsync(Solution solution, string id, CodeFixProvider fix, IReadOnlyList<Diagnostic> found)
    {
        Document any = solution.Projects.Single().Documents.First(d => d.Name != "Usings.cs");
        CodeAction? action = await fix.GetFixAllProvider()!.GetFixAsync(new FixAllContext(any, fix, FixAllScope.Project, id, [id], new Found(found), default));
        return action is null ? solution : await ChangedAsync(action);
    }

    internal static Solution SolutionOf(Compilation compilation)
    {
        AdhocWorkspace workspace = new();
        ProjectId id = ProjectId.CreateNewId();
        Solution solution = workspace.CurrentSolution.AddProject(ProjectInfo.Create(
            id, VersionStamp.Default, "Snippet", "Snippet", LanguageNames.CSharp, compilationOptions: compilation.Options,
            parseOptions: CSharpParseOptions.Default.WithLanguageVersion(LanguageVersion.Latest), metadataReferences: compilation.References));
        return compilation.SyntaxTrees.Aggregate(solution, (s, tree) => s.AddDocument(DocumentId.CreateNewId(id), tree.FilePath, tree.GetText()));
    }

    internal static async Task<IReadOnlyList<Diagnostic>> FoundAsync(Solution solution, string id) =>
        [.. (await Analysis.RunAsync((await solution.Projects.Single().GetCompilationAsync())!)).Where(d => d.Id == id)];

    private static async Task<Solution> ChangedAsync(CodeAction action) =>
        (await action.GetOperationsAsync(default)).OfType<ApplyChangesOperation>().Single().ChangedSolution;

    private sealed class Found(IReadOnlyList<Diagnostic> found) : FixAllContext.DiagnosticProvider
    {
        public override Task<IEnumerable<Diagnostic>> GetAllDiagnosticsAsync(Project project, CancellationToken cancellationToken) => Task.FromResult<IEnumerable<Diagnostic>>(found);

        public override async Task<IEnumerable<Diagnostic>> GetDocumentDiagnosticsAsync(Document document, CancellationToken cancellationToken)
        {
            SyntaxTree? tree = await document.GetSyntaxTreeAsync(cancellationToken);
            return found.Where(d => d.Location.SourceTree == tree);
        }

        public override Task<IEnumerable<Diagnostic>> GetProjectDiagnosticsAsync(Project project, CancellationToken cancellationToken) => Task.FromResult<IEnumerable<Diagnostic>>([]);
    }
}
