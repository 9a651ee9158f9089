using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>What the sources may not do: long lines and files, warnings turned off, locks in the breaker, classes left open.</summary>
public sealed class SourceRulesTests
{
    private static IEnumerable<(string File, string Text)> CoreSources()
    {
        string root = Path.Combine(Repository.Root, "src", "Resilience.Core");
        return Repository.Files("src/Resilience.Core", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    private static IEnumerable<string> UnsealedTypes(System.Reflection.Assembly assembly) => assembly.GetTypes()
        .Where(t => t.IsClass && !t.IsSealed && !t.IsAbstract && !t.Name.Contains('<', StringComparison.Ordinal) && t != typeof(ResilienceException)
            && t != typeof(ResiliencePipelineRegistry) // a class of one's own fills it with what a program has by default
            && !(t.DeclaringType?.Name.StartsWith('<') ?? false))
        .Select(t => t.FullName!);

    [Fact]
    public void Classes_are_sealed_or_abstract()
    {
        TypeNamesTests.Ours.SelectMany(UnsealedTypes).ShouldBeNone();
        UnsealedTypes(typeof(SourceRulesTests).Assembly).Should().Contain(t => t.EndsWith(nameof(PlantedOpenClass), StringComparison.Ordinal));
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
        CoreSources().Concat(Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*")
            .Where(d => !d.EndsWith("Resilience.Core", StringComparison.Ordinal)).SelectMany(d => Repository.Files(Repository.Relative(d), "*.cs"))
            .Select(f => (Repository.Relative(f), File.ReadAllText(f)))).SelectMany(s => Complaints(s.Item1, s.Item2)).ShouldBeNone();

    /// <summary>What does not ship has the same bounds, and was not always held to them. Both may only fall.</summary>
    private const int LongLinesLeft = 737;

    private static readonly string[] LongFilesLeft =
    [
        "tests/integration/Resilience.AspNetCore.Tests/Dashboard/StreamTests.cs",
        "tests/integration/Resilience.Stores.Tests/PostgreSql/PostgresRenewalsTests.cs",
        "tests/integration/Resilience.Stores.Tests/Redis/RedisStoreTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Comparison/PollyDifferencesTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Hooks/HookTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Http/HandlerTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Http/HttpBoundsTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Http/Wire/EqualBytesTests.cs",
        "tests/unit/Resilience.Extensions.Tests/Http/Wire/NothingSentTests.cs",
        "tests/unit/Resilience.Grpc.Tests/Unary/UnaryCallTests.cs",
        "tests/unit/Resilience.Tests/CircuitBreaker/BreakerBehaviourTests.cs",
        "tests/unit/Resilience.Tests/CircuitBreaker/IBreaker.cs",
        "tests/unit/Resilience.Tests/Seams/CallOutTests.cs",
        "tests/unit/Resilience.Tests/Verdicts/CancellationTableTests.cs",
    ];

    [Fact]
    public void Tests_samples_and_benchmarks_keep_to_the_same_bounds()
    {
        (string File, string[] Lines)[] files =
        [
            .. new[] { "tests", "samples", "benchmarks" }.SelectMany(f => Repository.Files(f, "*.cs"))
                .Select(f => (Repository.Relative(f), File.ReadAllText(f).TrimEnd('\n').Split('\n'))),
        ];
        files.Where(f => f.Lines.Length > MaxFile).Select(f => f.File).Should().BeSubsetOf(LongFilesLeft);
        files.Sum(f => f.Lines.Count(l => l.TrimEnd('\r').Length > MaxLine)).Should().BeLessThanOrEqualTo(LongLinesLeft);
    }

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
        Complaints("Planted.cs", "//" + new string('x', MaxLine - 2)).ShouldBeNone();
        Complaints("Planted.cs", new string('\n', MaxFile) + "class P;\n").Should().ContainSingle();
        Complaints("Planted.cs", new string('\n', MaxFile - 1) + "class P;\n").ShouldBeNone();
        Complaints("CircuitBreaker/Planted.cs", "// lock (this) and <see cref=\"Monitor\"/>\n/// <summary><see cref=\"Monitor\"/></summary>\nclass P;")
            .ShouldBeNone();
        Complaints("Limiting/Planted.cs", "class P { readonly object _gate = new(); void M() { lock (_gate) { } } }").ShouldBeNone();
    }

    [Fact]
    public void The_package_depends_on_nothing() =>
        typeof(ResiliencePipeline).Assembly.GetReferencedAssemblies().Select(a => a.Name)
            .Should().OnlyContain(n => n!.StartsWith("System.", StringComparison.Ordinal));
}
