using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace Resilience.Migration.Tests;

/// <summary>Compiles, moves and runs programs as the compiler, <c>dotnet format</c> and a user would.</summary>
internal static class Moving
{
    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks; global using Microsoft.Extensions.DependencyInjection; global using Resilience.Migration.Tests;
        """;

    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => !Path.GetFileName(p).StartsWith("xunit", StringComparison.Ordinal) && !Path.GetFileName(p).StartsWith("Resilience.Migration.dll", StringComparison.Ordinal))
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    internal static CSharpCompilation Compile(params string[] sources) => CSharpCompilation.Create(
        "Program" + Guid.NewGuid().ToString("N"),
        [CSharpSyntaxTree.ParseText(Usings, path: "Usings.cs"), .. sources.Select((s, i) => CSharpSyntaxTree.ParseText(s, path: $"File{i}.cs"))],
        References,
        new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));

    internal static string ErrorsOf(Compilation compilation) =>
        string.Join("\n", compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => d.ToString()));

    /// <summary>What the files become, by the fix for the first thing that the analyzer finds; the same when it finds nothing.</summary>
    internal static async Task<Compilation> MoveAsync(Compilation compilation)
    {
        using AdhocWorkspace workspace = new();
        ProjectId id = ProjectId.CreateNewId();
        Solution solution = workspace.CurrentSolution.AddProject(ProjectInfo.Create(
            id, VersionStamp.Default, "Program", compilation.AssemblyName!, LanguageNames.CSharp, compilationOptions: compilation.Options,
            parseOptions: CSharpParseOptions.Default, metadataReferences: compilation.References));
        foreach (SyntaxTree tree in compilation.SyntaxTrees) solution = solution.AddDocument(DocumentId.CreateNewId(id), tree.FilePath, tree.GetText());
        IReadOnlyList<Diagnostic> found = await FindAsync((await solution.GetProject(id)!.GetCompilationAsync())!);
        if (found.Count == 0) return compilation;
        MoveFix fix = new();
        Document at = solution.GetDocument(found[0].Location.SourceTree)!;
        List<CodeAction> offered = [];
        await fix.RegisterCodeFixesAsync(new CodeFixContext(at, found[0], (action, _) => offered.Add(action), default));
        CodeAction all = (await fix.GetFixAllProvider().GetFixAsync(new FixAllContext(at, fix, FixAllScope.Solution, offered[0].EquivalenceKey, [found[0].Id], new Nothing(), default)))!;
        Solution changed = (await all.GetOperationsAsync(default)).OfType<ApplyChangesOperation>().Single().ChangedSolution;
        return (await changed.GetProject(id)!.GetCompilationAsync())!;
    }

    /// <summary>What the analyzer says. If it throws, it says so too, as AD0001.</summary>
    internal static async Task<IReadOnlyList<Diagnostic>> FindAsync(Compilation compilation) =>
        [.. (await compilation.WithAnalyzers([new MigrationAnalyzer()], new AnalyzerOptions([])).GetAnalyzerDiagnosticsAsync()).OrderBy(d => d.Location.SourceSpan.Start)];

    internal static string TextOf(Compilation compilation) =>
        string.Join("\n", compilation.SyntaxTrees.Where(t => t.FilePath != "Usings.cs").Select(t => t.ToString()));

    /// <summary>Runs <c>Shape.RunAsync</c> of an assembly against a scripted dependency, and gives what that has written down.</summary>
    internal static async Task<IReadOnlyList<string>> RunAsync(Assembly assembly, string type, string script)
    {
        Dependency dependency = new(script);
        Task run = (Task)assembly.GetType(type)!.GetMethod("RunAsync")!.Invoke(null, [dependency])!;
        await run.WaitAsync(TimeSpan.FromMinutes(1));
        return dependency.Trace;
    }

    internal static Task<IReadOnlyList<string>> RunAsync(Compilation compilation, string script) => RunAsync(Load(compilation), "Shape", script);

    internal static Assembly Load(Compilation compilation)
    {
        using MemoryStream image = new();
        compilation.Emit(image).Success.Should().BeTrue("{0}", ErrorsOf(compilation));
        image.Position = 0;
        return new AssemblyLoadContext(compilation.AssemblyName).LoadFromStream(image);
    }

    private sealed class Nothing : FixAllContext.DiagnosticProvider
    {
        public override Task<IEnumerable<Diagnostic>> GetAllDiagnosticsAsync(Project project, CancellationToken cancellationToken) => Task.FromResult<IEnumerable<Diagnostic>>([]);

        public override Task<IEnumerable<Diagnostic>> GetDocumentDiagnosticsAsync(Document document, CancellationToken cancellationToken) => Task.FromResult<IEnumerable<Diagnostic>>([]);

        public override Task<IEnumerable<Diagnostic>> GetProjectDiagnosticsAsync(Project project, CancellationToken cancellationToken) => Task.FromResult<IEnumerable<Diagnostic>>([]);
    }
}
