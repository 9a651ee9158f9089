using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>Floors without circles, read from the source by the compiler itself.</summary>
public sealed class LayeringTests
{
    private static readonly string[] PolicyFolders = ["Retry", "CircuitBreaker", "Timeout", "Fallback", "Limiting", "Hedging", "Idempotency", "Chaos"];

    /// <summary>The files of the root that stand above the ground: the pipeline, its builder and the check of the order.</summary>
    private static readonly string[] PipelineFiles =
    [
        "ResiliencePipeline.cs", "ResiliencePipeline.Execute.cs", "ResiliencePipelineBuilder.cs", "PipelineOrder.cs",
    ];

    /// <summary>May a file of the first room use a type of the second?</summary>
    private static bool Allowed(string from, string to) => from == to || to == "Ground" || (to == "Pipeline" && from != "Ground");

    private static string RoomOf(string relative)
    {
        string[] parts = relative.Split('/');
        if (parts.Length > 1 && PolicyFolders.Contains(parts[0])) return parts[0];
        return parts.Length == 1 && PipelineFiles.Contains(parts[0]) ? "Pipeline" : "Ground";
    }

    private static IEnumerable<(string File, string Text)> Sources()
    {
        string root = Path.Combine(Repository.Root, "src", "Resilience");
        return Repository.Files("src/Resilience", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    private static List<string> WrongArrows(IEnumerable<(string File, string Text)> sources)
    {
        const string Usings = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";
        SyntaxTree[] trees = [.. sources.Append(("Usings.cs", Usings)).Select(s => CSharpSyntaxTree.ParseText(s.Item2, path: s.Item1))];
        CSharpCompilation compilation = CSharpCompilation.Create("Layers", trees, References.Framework(), new(OutputKind.DynamicallyLinkedLibrary));
        List<string> wrong = [];
        foreach (SyntaxTree tree in trees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                INamedTypeSymbol? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;
                if (type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath is not { } declared || declared == "Usings.cs") continue;
                string from = RoomOf(tree.FilePath), to = RoomOf(declared);
                if (!Allowed(from, to)) wrong.Add($"{tree.FilePath} ({from}) uses {type.Name} of {declared} ({to})");
            }
        }

        return [.. wrong.Distinct()];
    }

    [Fact]
    public void Every_arrow_between_rooms_points_downwards() => WrongArrows(Sources()).Should().BeEmpty();

    [Fact]
    public void The_check_finds_planted_arrows()
    {
        WrongArrows([.. Sources(), ("Retry/Planted.cs", "namespace Resilience; class Planted { CircuitBreaker? b; }")]).Should().ContainSingle().Which.Should().Contain("uses CircuitBreaker");
        WrongArrows([.. Sources(), ("Planted.cs", "namespace Resilience; class Planted { object o = ResiliencePipeline.Empty; }")]).Should().NotBeEmpty();
    }

    private static IEnumerable<string> UnsealedTypes(System.Reflection.Assembly assembly) => assembly.GetTypes()
        .Where(t => t.IsClass && !t.IsSealed && !t.IsAbstract && !t.Name.Contains('<', StringComparison.Ordinal) && t != typeof(ResilienceException)
            && !(t.DeclaringType?.Name.StartsWith('<') ?? false))
        .Select(t => t.FullName!);

    [Fact]
    public void Classes_are_sealed_or_abstract()
    {
        UnsealedTypes(typeof(ResiliencePipeline).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(LayeringTests).Assembly).Should().Contain(t => t.EndsWith(nameof(PlantedOpenClass), StringComparison.Ordinal));
    }

#pragma warning disable CA1812 // found by reflection
    private class PlantedOpenClass;
#pragma warning restore CA1812

    private static IEnumerable<string> Complaints(string file, string text)
    {
        string[] lines = text.Split('\n');
        if (lines.Length > 460) yield return $"{file} has {lines.Length} lines";
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].TrimStart();
            bool isComment = line.StartsWith("//", StringComparison.Ordinal);
            if (lines[i].Length > 260) yield return $"{file}:{i + 1} is {lines[i].Length} characters long";
            if (line.StartsWith("#pragma warning disable", StringComparison.Ordinal)) yield return $"{file}:{i + 1} turns a warning off";
            if (!isComment && file.Contains("CircuitBreaker/", StringComparison.Ordinal) && HasLock(line)) yield return $"{file}:{i + 1} takes a lock: {line.Trim()}";
            if (!isComment && line.Contains(".ConfigureAwait(true)", StringComparison.Ordinal)) yield return $"{file}:{i + 1} captures a context";
        }
    }

    private static bool HasLock(string line) =>
        line.Contains("lock (", StringComparison.Ordinal) || line.Contains("Monitor.", StringComparison.Ordinal)
        || line.Contains("SemaphoreSlim", StringComparison.Ordinal) || line.Contains("new Lock", StringComparison.Ordinal) || line.Contains(" Lock ", StringComparison.Ordinal);

    [Fact]
    public void Files_stay_readable_and_the_breaker_takes_no_lock()
    {
        Sources().SelectMany(s => Complaints(s.File, s.Text)).Should().BeEmpty();
        Complaints("CircuitBreaker/Planted.cs", "lock (_gate) x = 1;").Should().ContainSingle();
        Complaints("Planted.cs", "#pragma warning disable CA1").Should().ContainSingle();
        Complaints("Planted.cs", new string('x', 261)).Should().ContainSingle();
    }

    [Fact]
    public void The_package_depends_on_nothing() =>
        typeof(ResiliencePipeline).Assembly.GetReferencedAssemblies().Select(a => a.Name)
            .Should().OnlyContain(n => n!.StartsWith("System.", StringComparison.Ordinal));
}

/// <summary>The framework's assemblies, for compilations in tests.</summary>
internal static class References
{
    internal static IEnumerable<MetadataReference> Framework() =>
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
        .Where(p => Path.GetFileName(p) is { } name && (name.StartsWith("System.", StringComparison.Ordinal) || name is "mscorlib.dll" or "netstandard.dll" or "Microsoft.CSharp.dll"))
        .Select(p => MetadataReference.CreateFromFile(p));
}
