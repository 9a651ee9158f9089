using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace Resilience.Analyzers.Tests;

/// <summary>Compiles snippets against the real assemblies and runs all analyzers over them, as the compiler would.</summary>
internal static class Analysis
{
    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http; global using System.Net.Http.Json;
        global using System.Threading; global using System.Threading.Tasks; global using Resilience; global using Microsoft.Extensions.Configuration;
        global using Microsoft.Extensions.DependencyInjection; global using Microsoft.Extensions.DependencyInjection.Extensions; global using Microsoft.Extensions.Options;
        global using Microsoft.AspNetCore.Builder; global using Microsoft.AspNetCore.Http; global using Resilience.Testing; global using System.Threading.RateLimiting;
        global using Resilience.Extensibility; global using Resilience.Http; global using Resilience.Idempotency;
        global using Microsoft.Extensions.Hosting; global using Microsoft.Extensions.Logging; global using Microsoft.AspNetCore.Mvc;
        """;

    private static readonly string[] NotReferenced = ["Resilience.Analyzers", "xunit", "Microsoft.CodeAnalysis", "FluentAssertions", "testhost"];

    private static readonly SyntaxTree UsingsTree = CSharpSyntaxTree.ParseText(Usings, path: "Usings.cs");

    /// <summary>What the test runs with, without the test itself: the framework, ASP.NET Core and our packages.</summary>
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => !NotReferenced.Any(n => Path.GetFileName(p).StartsWith(n, StringComparison.OrdinalIgnoreCase)))
            .Select(p => MetadataReference.CreateFromFile(p)),
    ];

    private static readonly ConcurrentDictionary<string, MetadataReference> Libraries = new(StringComparer.Ordinal);

    internal static ImmutableArray<DiagnosticAnalyzer> All { get; } = [new LifetimeAnalyzer(), new DelegateAnalyzer(), new HttpAnalyzer(), new ResultAnalyzer(), new SdkAnalyzer(),
        new TransportAnalyzer(), new TransactionAnalyzer(), new EndpointTransactionAnalyzer()];

    internal static IReadOnlyList<string> Ids { get; } = [.. All.SelectMany(a => a.SupportedDiagnostics).Select(d => d.Id).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>A class in which the members of a snippet find what they need.</summary>
    internal static string InClass(string members) => $$"""
        public sealed partial class Shop
        {
            private static readonly HttpClient Http = new();
            private static readonly ResiliencePipeline Pipeline = new ResiliencePipelineBuilder { Name = "shop" }.AddTimeout(TimeSpan.FromSeconds(1)).Build();
            private static readonly ResiliencePipeline<string> Typed = new ResiliencePipelineBuilder<string>().AddTimeout(TimeSpan.FromSeconds(1)).Build();

            {{members}}
        }
        """;

    internal static CSharpCompilation Compile(IEnumerable<SyntaxTree> trees, bool isProgram, params string[] moreReferences) => CSharpCompilation.Create(
        "Snippet",
        [UsingsTree, .. trees],
        [.. References, .. moreReferences.Select(Named)],
        new(isProgram ? OutputKind.ConsoleApplication : OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>An assembly that is nothing but its name.</summary>
    private static MetadataReference Named(string name) => CSharpCompilation.Create(name, [], References, new(OutputKind.DynamicallyLinkedLibrary)).ToMetadataReference();

    internal static SyntaxTree Parse(string source, string path = "Snippet.cs") => CSharpSyntaxTree.ParseText(source, path: path);

    internal static bool HasErrors(Compilation compilation, out string first)
    {
        first = compilation.GetDiagnostics().FirstOrDefault(d => d.Severity == DiagnosticSeverity.Error)?.ToString() ?? "";
        return first.Length > 0;
    }

    /// <summary>What the analyzers say. An analyzer that throws says so too, as AD0001.</summary>
    internal static async Task<IReadOnlyList<Diagnostic>> RunAsync(Compilation compilation, params DiagnosticAnalyzer[] besides)
    {
        CompilationWithAnalyzers analysis = compilation.WithAnalyzers(All.AddRange(besides), new CompilationWithAnalyzersOptions(
            new AnalyzerOptions([]), onAnalyzerException: null, concurrentAnalysis: false, logAnalyzerExecutionTime: false));
        return [.. (await analysis.GetAnalyzerDiagnosticsAsync()).OrderBy(d => d.Location.SourceSpan.Start)];
    }

    /// <summary>Runs a snippet in which <c>[|…|]</c> stands around every place that is to be reported, and compares.</summary>
    internal static Task CheckAsync(string id, string marked, bool isProgram = false, params string[] moreReferences) =>
        CheckAsync(id, marked, s => Compile([Parse(s)], isProgram, moreReferences));

    /// <summary>The same with a library of others, which is given as its source.</summary>
    internal static Task CheckWithAsync(string library, string id, string marked) => CheckAsync(id, marked, s => CompileWith(library, Parse(s)));

    internal static Task<IReadOnlyList<Diagnostic>> RunWithAsync(string library, string source) => RunAsync(CompileWith(library, Parse(source)));

    internal static CSharpCompilation CompileWith(string library, SyntaxTree tree) =>
        Compile([tree], isProgram: false).AddReferences(Libraries.GetOrAdd(library, ReferenceTo));

    private static MetadataReference ReferenceTo(string library)
    {
        CSharpCompilation theirs = CSharpCompilation.Create(
            "Theirs", [UsingsTree, Parse(library)], References, new(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
        HasErrors(theirs, out string error).Should().BeFalse("the library must compile: {0}", error);
        using MemoryStream image = new();
        theirs.Emit(image).Success.Should().BeTrue();
        return MetadataReference.CreateFromImage(image.ToArray());
    }

    private static async Task CheckAsync(string id, string marked, Func<string, Compilation> compile)
    {
        string source = marked.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal);
        Compilation compilation = compile(source);
        HasErrors(compilation, out string error).Should().BeFalse("the snippet must compile: {0}", error);
        (await RunAsync(compilation)).Select(d => $"{d.Id} {source.Substring(d.Location.SourceSpan.Start, d.Location.SourceSpan.Length)}")
            .Should().Equal(Marks(marked).Select(m => $"{id} {source.Substring(m.Start, m.Length)}"));
    }

    private static IEnumerable<TextSpan> Marks(string marked)
    {
        int taken = 0;
        for (int at = 0; (at = marked.IndexOf("[|", at, StringComparison.Ordinal)) >= 0;)
        {
            int end = marked.IndexOf("|]", at, StringComparison.Ordinal);
            yield return TextSpan.FromBounds(at - taken, end - taken - 2);
            taken += 4;
            at = end;
        }
    }
}
