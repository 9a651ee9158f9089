using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>Floors without circles, read from the source by the compiler itself.</summary>
public sealed class LayeringTests
{
    /// <summary>Side by side on the top floor, ignorant of each other.</summary>
    private static readonly string[] PolicyFolders = ["Retry", "CircuitBreaker", "Timeout", "Fallback", "Limiting", "Hedging", "Idempotency", "Chaos"];

    /// <summary>On the ground: what happened and what it means, the contract of policies, how a call runs, time and telemetry.</summary>
    private static readonly string[] GroundFolders = ["Threading", "Telemetry", "Outcomes", "Policies", "Execution"];

    /// <summary>Above the ground and below the policies: the pipeline, its builder and the check of the order.</summary>
    private const string PipelineFolder = "Pipeline";

    /// <summary>The arrows between neighbours that we allow, each for one type.</summary>
    private static readonly (string From, string Type)[] Exceptions =
    [
        ("Hedging", "RetryBudget"), // one budget for all that is sent again
        ("Hedging", "RetryBudgetOptions"), // and how to set it

        // The gate's way to its store is a pipeline of ours: repeat, guard, bound in time (decision 0026).
        ("Idempotency", "RetryOptions"), ("Idempotency", "BackoffJitter"), ("Idempotency", "RetryBudget"), ("Idempotency", "RetryBuilderExtensions"),
        ("Idempotency", "TimeoutOptions"), ("Idempotency", "TimeoutPipelineBuilderExtensions"),
    ];

    /// <summary>May a file of the first room use a type of the second?</summary>
    private static bool Allowed(string from, string to, string type) =>
        from == to || to == "Ground" || (to == "Pipeline" && from != "Ground") || Exceptions.Contains((from, type));

    /// <summary>The room of a file, or null for a folder that is on no floor.</summary>
    private static string? RoomOf(string relative)
    {
        string[] parts = relative.Split('/');
        return PolicyFolders.Contains(parts[0]) || parts[0] == PipelineFolder ? parts[0] : GroundFolders.Contains(parts[0]) ? "Ground" : null;
    }

    private static IEnumerable<(string File, string Text)> Sources()
    {
        string root = Path.Combine(Repository.Root, "src", "Resilience.Core");
        return Repository.Files("src/Resilience.Core", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    private static List<string> WrongArrows(IEnumerable<(string File, string Text)> sources)
    {
        const string Usings = """
            global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
            global using System.Threading; global using System.Threading.Tasks;
            """;
        SyntaxTree[] trees = [.. sources.Append(("Threading/Usings.cs", Usings)).Select(s => CSharpSyntaxTree.ParseText(s.Item2, path: s.Item1))];
        CSharpCompilation compilation = CSharpCompilation.Create("Layers", trees, References.Framework, new(OutputKind.DynamicallyLinkedLibrary));

        // What does not compile has no symbols, and an arrow without a symbol would not be seen.
        List<string> wrong = [.. compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => $"not read: {d}")];
        wrong.AddRange(trees.Where(t => RoomOf(t.FilePath) is null).Select(t => $"{t.FilePath} is on no floor: give its folder one, at the top of this test"));
        foreach (SyntaxTree tree in trees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                INamedTypeSymbol? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;
                if (type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath is not { } declared) continue;
                if (RoomOf(tree.FilePath) is { } from && RoomOf(declared) is { } to && !Allowed(from, to, type.Name))
                    wrong.Add($"{tree.FilePath} ({from}) uses {type.Name} of {declared} ({to})");
            }
        }

        return [.. wrong.Distinct()];
    }

    [Fact]
    public void Every_arrow_between_rooms_points_downwards() => WrongArrows(Sources()).Should().BeEmpty();

    [Theory]
    [InlineData("Retry/Planted.cs", "class Planted { CircuitBreaker? b; }", "Retry/Planted.cs (Retry) uses CircuitBreaker of *(CircuitBreaker)")]
    [InlineData("Retry/Planted.cs", "class Planted { object? o = nameof(CircuitBreaker.State); }", "Retry/Planted.cs (Retry) uses CircuitBreaker of *")]
    [InlineData("Fallback/Planted.cs", "static class Planted { static void Add(ResiliencePipelineBuilder b) => b.AddRetry(); }", "Fallback/Planted.cs (Fallback) uses Retry*(Retry)")]
    [InlineData("Outcomes/Planted.cs", "class Planted { object o = ResiliencePipeline.Empty; }", "Outcomes/Planted.cs (Ground) uses ResiliencePipeline of *(Pipeline)")]
    [InlineData("Threading/Planted.cs", "class Planted { RetryBudget? b; }", "Threading/Planted.cs (Ground) uses RetryBudget of *(Retry)")]
    [InlineData("Limiting/Planted.cs", "class Planted { RetryBudget? b; }", "Limiting/Planted.cs (Limiting) uses RetryBudget of *(Retry)")]
    [InlineData("Planted.cs", "class Planted;", "Planted.cs is on no floor*")]
    [InlineData("Attic/Planted.cs", "class Planted;", "Attic/Planted.cs is on no floor*")]
    [InlineData("Retry/Planted.cs", "class Planted { NoSuchType? b; }", "not read: Retry/Planted.cs*NoSuchType*")]
    public void The_check_finds_a_planted_arrow(string file, string code, string complaint) =>
        WrongArrows([.. Sources(), (file, $"namespace Resilience; {code}")]).Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("Hedging/Planted.cs", "class Planted { RetryBudget? b; }")]
    [InlineData("Hedging/Planted.cs", "/// <summary>See <see cref=\"CircuitBreaker\"/>.</summary>\nclass Planted;")]
    [InlineData("Retry/Planted.cs", "class Planted { Outcome<int> o; object p = ResiliencePipeline.Empty; }")]
    public void The_check_lets_a_planted_arrow_downwards_pass(string file, string code) =>
        WrongArrows([.. Sources(), (file, $"namespace Resilience;\n{code}")]).Should().BeEmpty();

    private static IEnumerable<string> UnsealedTypes(System.Reflection.Assembly assembly) => assembly.GetTypes()
        .Where(t => t.IsClass && !t.IsSealed && !t.IsAbstract && !t.Name.Contains('<', StringComparison.Ordinal) && t != typeof(ResilienceException)
            && !(t.DeclaringType?.Name.StartsWith('<') ?? false))
        .Select(t => t.FullName!);

    [Fact]
    public void Classes_are_sealed_or_abstract()
    {
        UnsealedTypes(typeof(ResiliencePipeline).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(HttpResilience).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(ResilienceHealthOptions).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(Testing.IdempotencyStoreContract).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(IdempotencyEndpointOptions).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(SqliteIdempotencyStore).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(PostgresIdempotencyStore).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(RedisIdempotencyStore).Assembly).Should().BeEmpty();
        UnsealedTypes(typeof(LayeringTests).Assembly).Should().Contain(t => t.EndsWith(nameof(PlantedOpenClass), StringComparison.Ordinal));
    }

#pragma warning disable CA1812 // found by reflection
    private class PlantedOpenClass;
#pragma warning restore CA1812

    internal const int MaxLine = 160;

    private const int MaxFile = 400;

    /// <summary>Whatever makes a thread wait for another one.</summary>
    private static readonly string[] Blocking =
    [
        "Monitor", "Lock", "SpinLock", "Mutex", "Semaphore", "SemaphoreSlim", "ReaderWriterLock", "ReaderWriterLockSlim", "Barrier", "CountdownEvent",
        "EventWaitHandle", "AutoResetEvent", "ManualResetEvent", "ManualResetEventSlim", "Synchronized",
    ];

    private static IEnumerable<string> Complaints(string file, string text)
    {
        string[] lines = text.TrimEnd('\n').Split('\n');
        if (lines.Length > MaxFile) yield return $"{file} has {lines.Length} lines";
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i].Length > MaxLine) yield return $"{file}:{i + 1} is {lines[i].Length} characters long";
        }

        SyntaxNode root = CSharpSyntaxTree.ParseText(text).GetRoot();
        foreach (SyntaxNode node in root.DescendantNodes(descendIntoTrivia: true))
        {
            string? complaint = node switch
            {
                PragmaWarningDirectiveTriviaSyntax pragma when pragma.DisableOrRestoreKeyword.IsKind(SyntaxKind.DisableKeyword) => "turns a warning off",
                MemberAccessExpressionSyntax { Name.Identifier.Text: "ConfigureAwait", Parent: InvocationExpressionSyntax call }
                    when call.ArgumentList.ToString() == "(true)" => "captures a context",
                LockStatementSyntax when IsLockFree(node) => "takes a lock",
                LockStatementSyntax { Expression: ThisExpressionSyntax or TypeOfExpressionSyntax or LiteralExpressionSyntax }
                    => "locks what others can lock as well",
                IdentifierNameSyntax name when IsLockFree(node) && Blocking.Contains(name.Identifier.Text) => $"can wait: {name}",
                _ => null,
            };
            if (complaint is not null) yield return $"{file}:{node.GetLocation().GetLineSpan().StartLinePosition.Line + 1} {complaint}";
        }

        bool IsLockFree(SyntaxNode node) => file.StartsWith("CircuitBreaker/", StringComparison.Ordinal) && !node.IsPartOfStructuredTrivia();
    }

    [Fact]
    public void Files_stay_readable_and_the_breaker_takes_no_lock() =>
        Sources().Concat(Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*")
            .Where(d => !d.EndsWith("Resilience.Core", StringComparison.Ordinal)).SelectMany(d => Repository.Files(Repository.Relative(d), "*.cs"))
            .Select(f => (Repository.Relative(f), File.ReadAllText(f)))).SelectMany(s => Complaints(s.Item1, s.Item2)).ToList().Should().BeEmpty();

    [Theory]
    [InlineData("CircuitBreaker/Planted.cs", "class P { void M() { lock (this) { } } }", "*:1 takes a lock")]
    [InlineData("CircuitBreaker/Planted.cs", "class P { void M() { lock(this) { } } }", "*:1 takes a lock")]
    [InlineData("CircuitBreaker/Planted.cs", "class P {\n bool M() => System.Threading.Monitor.TryEnter(this); }", "*:2 can wait: Monitor")]
    [InlineData("CircuitBreaker/Planted.cs", "class P { readonly SemaphoreSlim _gate = new(1); }", "*:1 can wait: SemaphoreSlim")]
    [InlineData("CircuitBreaker/Planted.cs", "class P { readonly Lock _gate = new(); }", "*:1 can wait: Lock")]
    [InlineData("CircuitBreaker/Planted.cs", "class P { [MethodImpl(MethodImplOptions.Synchronized)] void M() { } }", "*:1 can wait: Synchronized")]
    [InlineData("Limiting/Planted.cs", "class P { void M() {\n lock (this) { } } }", "*:2 locks what others can lock as well")]
    [InlineData("Limiting/Planted.cs", "class P { void M() { lock(typeof(P)) { } } }", "*:1 locks what others can lock as well")]
    [InlineData("Planted.cs", "#pragma warning disable CA1", "*:1 turns a warning off")]
    [InlineData("Planted.cs", "#  pragma   warning   disable", "*:1 turns a warning off")]
    [InlineData("Planted.cs", "class P { async Task M(Task t) => await t.ConfigureAwait(true); }", "*:1 captures a context")]
    public void The_check_finds_a_planted_offence(string file, string code, string complaint) =>
        Complaints(file, code).Should().ContainSingle().Which.Should().Match(complaint);

    [Fact]
    public void The_check_finds_long_lines_and_files_and_leaves_comments_alone()
    {
        Complaints("Planted.cs", "//" + new string('x', MaxLine - 1)).Should().ContainSingle();
        Complaints("Planted.cs", "//" + new string('x', MaxLine - 2)).Should().BeEmpty();
        Complaints("Planted.cs", new string('\n', MaxFile) + "class P;\n").Should().ContainSingle();
        Complaints("Planted.cs", new string('\n', MaxFile - 1) + "class P;\n").Should().BeEmpty();
        Complaints("CircuitBreaker/Planted.cs", "// lock (this) and <see cref=\"Monitor\"/>\n/// <summary><see cref=\"Monitor\"/></summary>\nclass P;").Should().BeEmpty();
        Complaints("Limiting/Planted.cs", "class P { readonly object _gate = new(); void M() { lock (_gate) { } } }").Should().BeEmpty();
    }

    [Fact]
    public void The_package_depends_on_nothing() =>
        typeof(ResiliencePipeline).Assembly.GetReferencedAssemblies().Select(a => a.Name)
            .Should().OnlyContain(n => n!.StartsWith("System.", StringComparison.Ordinal));
}

/// <summary>The framework's assemblies, for compilations in tests; read once.</summary>
internal static class References
{
    internal static IReadOnlyList<MetadataReference> Framework { get; } =
        All(name => name.StartsWith("System.", StringComparison.Ordinal) || name is "mscorlib.dll" or "netstandard.dll" or "Microsoft.CSharp.dll" or "Microsoft.Win32.Primitives.dll");

    /// <summary>The same with our packages and those that they build on.</summary>
    internal static IReadOnlyList<MetadataReference> Packages { get; } =
    [
        .. Framework,
        .. All(name => name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal) || name.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal)
            || name is "Microsoft.Data.Sqlite.dll" or "Npgsql.dll" or "StackExchange.Redis.dll"
            || (name.StartsWith("Resilience.", StringComparison.Ordinal) && !name.Contains("Tests", StringComparison.Ordinal) && !name.Contains("Sample", StringComparison.Ordinal))),
    ];

    private static MetadataReference[] All(Func<string, bool> isMeant) =>
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(p => isMeant(Path.GetFileName(p))).Select(p => MetadataReference.CreateFromFile(p)),
    ];
}
