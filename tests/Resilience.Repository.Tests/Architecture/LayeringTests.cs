using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Emit;

namespace Resilience.Tests.Architecture;

/// <summary>Floors without circles: the folders of the core stand one above the other, and a type uses only types of its own folder and of floors
/// below.</summary>
/// <remarks>Read twice: from the compiled assembly, which says what is really used, and from the source by the compiler, because the compiled assembly does
/// not tell of constants and <c>nameof</c>.</remarks>
public sealed class LayeringTests
{
    /// <summary>From the ground up. Folders of one floor are ignorant of each other.</summary>
    private static readonly string[][] Floors =
    [
        ["Telemetry"], // the names by which we can be observed, and the guards around code of others, whose errors are told there
        ["Outcomes", "Threading"], // what happened and what it means; time and chance
        ["Context"], // what travels with a call
        ["Policies"], // the contract of policies, and of their events
        ["Execution"], // how a call runs through them
        ["Pipeline"], // pipelines, their builders, and the check of the order
        ["Budget"], // what all that is sent again is paid from
        ["Retry", "CircuitBreaker", "Timeout", "Fallback", "Limiting", "Hedging", "Chaos"],
        ["Idempotency"], // its way to a store is a pipeline of ours: repeat, guard, bound in time (decision 0026)
    ];

    private const string Project = "Resilience.Core/";

    /// <summary>The folder of a file of the core; null for a file that stands beside the folders, or elsewhere.</summary>
    private static string? FolderOf(string file)
    {
        int start = file.LastIndexOf(Project, StringComparison.Ordinal);
        string[] parts = file[(start < 0 ? 0 : start + Project.Length)..].Split('/');
        return parts.Length > 1 ? parts[0] : null;
    }

    private static int FloorOf(string folder) => Array.FindIndex(Floors, f => f.Contains(folder));

    /// <summary>What is wrong with arrows between types: those that do not point downwards, and folders that use each other.</summary>
    private static IEnumerable<string> WrongArrows(IEnumerable<TypeArrow> arrows, IEnumerable<string> files)
    {
        string?[] homeless = [.. files.Where(f => FolderOf(f) is not { } folder || FloorOf(folder) < 0)];
        foreach (string? file in homeless) yield return $"{file} is on no floor: give its folder one, at the top of this test";
        (string From, string To, string Text)[] between =
        [
            .. from a in arrows
               let f = (From: FolderOf(a.FromFile), To: FolderOf(a.ToFile))
               where f.From is not null && f.To is not null && f.From != f.To
               select (f.From!, f.To!, $"{a.From} ({f.From}) uses {a.To} ({f.To})"),
        ];
        foreach ((string from, string to, string text) in between.Distinct())
        {
            if (FloorOf(from) >= 0 && FloorOf(to) >= FloorOf(from)) yield return text;
        }

        foreach (string circle in Circles(between.Select(b => (b.From, b.To)))) yield return circle;
    }

    /// <summary>Folders from which a way leads back to themselves, each with the shortest.</summary>
    private static IEnumerable<string> Circles(IEnumerable<(string From, string To)> arrows)
    {
        ILookup<string, string> next = arrows.Distinct().ToLookup(a => a.From, a => a.To);
        foreach (string folder in next.Select(n => n.Key).Order(StringComparer.Ordinal))
        {
            Queue<string[]> ways = new([[folder]]);
            HashSet<string> seen = [];
            while (ways.TryDequeue(out string[]? way))
            {
                if (way.Length > 1 && way[^1] == folder)
                {
                    // A circle is told once, from the first of its folders.
                    if (way.Min(StringComparer.Ordinal) == folder) yield return "a circle: " + string.Join(" → ", way);
                    break;
                }

                foreach (string to in next[way[^1]].Where(seen.Add)) ways.Enqueue([.. way, to]);
            }
        }
    }

    private static IEnumerable<(string File, string Text)> Sources()
    {
        string root = Path.Combine(Repository.Root, "src", "Resilience.Core");
        return Repository.Files("src/Resilience.Core", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    private static CSharpCompilation Compile(IEnumerable<(string File, string Text)> sources)
    {
        const string Usings = """
            global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
            global using System.Threading; global using System.Threading.Tasks;
            """;
        IEnumerable<SyntaxTree> trees = sources.Append(("Threading/Usings.cs", Usings))
            .Select(s => CSharpSyntaxTree.ParseText(s.Item2, path: s.Item1, encoding: Encoding.UTF8));
        return CSharpCompilation.Create("Layers", trees, References.Framework, new(OutputKind.DynamicallyLinkedLibrary));
    }

    /// <summary>The arrows that the source names, by the compiler's own understanding of it.</summary>
    private static List<string> WrongArrowsOfSource(IEnumerable<(string File, string Text)> sources)
    {
        CSharpCompilation compilation = Compile(sources);

        // What does not compile has no symbols, and an arrow without a symbol would not be seen.
        List<string> wrong = [.. compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => $"not read: {d}")];
        HashSet<TypeArrow> arrows = [];
        foreach (SyntaxTree tree in compilation.SyntaxTrees)
        {
            SemanticModel model = compilation.GetSemanticModel(tree);
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                INamedTypeSymbol? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;
                if (type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath is not { } declared) continue;
                arrows.Add(new(Path.GetFileNameWithoutExtension(tree.FilePath), tree.FilePath, type.Name, declared));
            }
        }

        return [.. wrong, .. WrongArrows(arrows, compilation.SyntaxTrees.Select(t => t.FilePath))];
    }

    /// <summary>The arrows of sources that are compiled first, and read like the assembly that we ship.</summary>
    private static List<string> WrongArrowsOfCompiled(IEnumerable<(string File, string Text)> sources)
    {
        using MemoryStream assembly = new(), symbols = new();
        EmitResult done = Compile(sources).Emit(assembly, symbols, options: new(debugInformationFormat: DebugInformationFormat.PortablePdb));
        if (!done.Success) return [.. done.Diagnostics.Select(d => d.ToString())];
        (assembly.Position, symbols.Position) = (0, 0);
        (IReadOnlyList<TypeArrow> arrows, IReadOnlyList<string> files) = TypeArrows.Read(assembly, symbols);
        return [.. WrongArrows(arrows, files)];
    }

    private static (IReadOnlyList<TypeArrow> Arrows, IReadOnlyList<string> Files) Core()
    {
        string binary = typeof(ResiliencePipeline).Assembly.Location;
        using FileStream assembly = File.OpenRead(binary), symbols = File.OpenRead(Path.ChangeExtension(binary, ".pdb"));
        (IReadOnlyList<TypeArrow> arrows, IReadOnlyList<string> files) = TypeArrows.Read(assembly, symbols);
        return (arrows, [.. files.Where(f => !f.Contains("/obj/", StringComparison.Ordinal))]);
    }

    [Fact]
    public void Every_arrow_between_folders_of_the_compiled_core_points_downwards()
    {
        (IReadOnlyList<TypeArrow> arrows, IReadOnlyList<string> files) = Core();
        arrows.Should().HaveCountGreaterThan(1000);
        files.Should().HaveCountGreaterThan(200);
        WrongArrows(arrows, files).Should().BeEmpty();
    }

    [Fact]
    public void Every_arrow_between_folders_of_the_source_points_downwards() => WrongArrowsOfSource(Sources()).Should().BeEmpty();

    [Fact]
    public void Every_folder_of_the_list_is_there() =>
        Floors.SelectMany(f => f).Should().BeEquivalentTo(Sources().Select(s => FolderOf(s.File)).Distinct());

    /// <summary>Each way in which one type can use another one, planted on the lowest floor and pointing upwards.</summary>
    [Theory]
    [InlineData("class Low { High? _field; }")]
    [InlineData("class Low { System.Collections.Generic.List<High>? _field; }")]
    [InlineData("class Low { High[]? _field; }")]
    [InlineData("class Low : High;")]
    [InlineData("class Low : System.Collections.Generic.List<High>;")]
    [InlineData("class Low : IHigh;")]
    [InlineData("class Low<T> where T : High;")]
    [InlineData("class Low { void M<T>() where T : High { } }")]
    [InlineData("class Low { High? M() => null; }")]
    [InlineData("class Low { void M(High argument) { } }")]
    [InlineData("class Low { High? P { get; set; } }")]
    [InlineData("class Low { event System.Action<High>? E; }")]
    [InlineData("class Low { void M() { object o = new High(); } }")]
    [InlineData("class Low { void M() => High.Run(); }")]
    [InlineData("class Low { int M() => High.Number; }")]
    [InlineData("class Low { void M() => System.Array.Empty<High>(); }")]
    [InlineData("class Low { bool M(object o) => o is High; }")]
    [InlineData("class Low { System.Type M() => typeof(High); }")]
    [InlineData("class Low { void M() { try { } catch (HighException) { } } }")]
    [InlineData("class Low { System.Func<object> M() => () => new High(); }")]
    [InlineData("class Low { async System.Threading.Tasks.Task M() { await System.Threading.Tasks.Task.Yield(); new High(); } }")]
    [InlineData("class Low { System.Collections.Generic.IEnumerable<object> M() { yield return new High(); } }")]
    [InlineData("class Low { int M(int i) => i switch { 0 => 1, 1 => 3, 2 => 7, 3 => 4, 4 => High.Number, _ => 2 }; }")]
    [InlineData("class Low { class Inner { High? _field; } }")]
    [InlineData("[High] class Low;", "Low (Telemetry) uses HighAttribute (Retry)")]
    [InlineData("class Low { [High] void M() { } }", "Low (Telemetry) uses HighAttribute (Retry)")]
    [InlineData("interface Low { void M(High argument); }")]
    [InlineData("delegate High Low();")]
    [InlineData("record struct Low(High Value);")]
    public void The_check_finds_a_planted_arrow_upwards(string low, string complaint = "Low (Telemetry) uses * (Retry)")
    {
        const string High = """
            class High { internal static int Number; internal static void Run() { } } interface IHigh; class HighException : System.Exception;
            class HighAttribute : System.Attribute;
            """;
        WrongArrowsOfCompiled([("Telemetry/Low.cs", low), ("Retry/High.cs", High)]).Should().NotBeEmpty().And.OnlyContain(c => Matches(c, complaint));
    }

    private static bool Matches(string text, string pattern) =>
        pattern.Split('*') is [string start, string end]
            ? text.StartsWith(start, StringComparison.Ordinal) && text.EndsWith(end, StringComparison.Ordinal)
            : text == pattern;

    [Fact]
    public void The_check_finds_a_planted_circle_between_folders()
    {
        WrongArrowsOfCompiled([("Retry/A.cs", "class A { B? b; }"), ("Fallback/B.cs", "class B { A? a; }")]).Should().BeEquivalentTo(
            "A (Retry) uses B (Fallback)", "B (Fallback) uses A (Retry)", "a circle: Fallback → Retry → Fallback");
        WrongArrowsOfCompiled([("Retry/A.cs", "class A { void M() => new B(); }"), ("Policies/B.cs", "class B : C;"), ("Context/C.cs", "class C { A? a; }")])
            .Should().BeEquivalentTo("C (Context) uses A (Retry)", "a circle: Context → Retry → Policies → Context");
    }

    [Theory]
    [InlineData("Attic/Planted.cs", "class Planted;", "Attic/Planted.cs is on no floor*")]
    [InlineData("Planted.cs", "enum Planted;", "Planted.cs is on no floor*")]
    [InlineData("Planted.cs", "class Planted { void M() { } }", "Planted.cs is on no floor*")]
    public void The_check_finds_a_file_on_no_floor(string file, string code, string complaint) =>
        WrongArrowsOfCompiled([(file, code)]).Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("Retry/Planted.cs", "class Planted { CircuitBreaker? b; }", "Planted (Retry) uses CircuitBreaker (CircuitBreaker)")]
    [InlineData("Retry/Planted.cs", "class Planted { object? o = nameof(CircuitBreaker.State); }", "Planted (Retry) uses CircuitBreaker (CircuitBreaker)")]
    [InlineData("Threading/Planted.cs", "class Planted { const int N = RetryOptions.Unlimited; }", "Planted (Threading) uses RetryOptions (Retry)")]
    [InlineData("Limiting/Planted.cs", "class Planted { IdempotencyGate? b; }", "Planted (Limiting) uses IdempotencyGate (Idempotency)")]
    [InlineData("Planted.cs", "class Planted;", "Planted.cs is on no floor*")]
    [InlineData("Retry/Planted.cs", "class Planted { NoSuchType? b; }", "not read: Retry/Planted.cs*NoSuchType*")]
    public void The_check_finds_an_arrow_planted_in_the_source(string file, string code, string complaint) =>
        WrongArrowsOfSource([.. Sources(), (file, $"using Resilience.Idempotency; namespace Resilience; {code}")])
            .Where(c => !c.StartsWith("a circle", StringComparison.Ordinal)).Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("Hedging/Planted.cs", "class Planted { RetryBudget? b; }")]
    [InlineData("Hedging/Planted.cs", "/// <summary>See <see cref=\"CircuitBreaker\"/>.</summary>\nclass Planted;")]
    [InlineData("Retry/Planted.cs", "class Planted { Outcome<int> o; object p = ResiliencePipeline.Empty; }")]
    public void The_check_lets_a_planted_arrow_downwards_pass(string file, string code) =>
        WrongArrowsOfSource([.. Sources(), (file, $"namespace Resilience;\n{code}")]).Should().BeEmpty();

    /// <summary>The options that know a policy, be it by way of other types of their folder.</summary>
    private static IEnumerable<string> OptionsThatKnow(IReadOnlyList<TypeArrow> arrows, IReadOnlySet<string> options, IReadOnlySet<string> policies)
    {
        ILookup<string, string> next = arrows.Where(a => FolderOf(a.FromFile) == FolderOf(a.ToFile)).ToLookup(a => a.From, a => a.To);
        foreach (string one in options)
        {
            Queue<string> left = new([one]);
            HashSet<string> seen = [one];
            while (left.TryDequeue(out string? type))
            {
                foreach (string to in next[type].Where(seen.Add)) left.Enqueue(to);
            }

            foreach (string policy in seen.Where(policies.Contains)) yield return $"{one} knows {policy}";
        }
    }

    [Fact]
    public void Options_do_not_know_their_policy()
    {
        Type[] types = typeof(ResiliencePipeline).Assembly.GetTypes();
        HashSet<string> options = [.. types.Where(t => t.IsSubclassOf(typeof(PolicyOptions))).Select(NameOf)];
        HashSet<string> policies = [.. types.Where(t => t.IsSubclassOf(typeof(ResiliencePolicy)) && !t.IsAbstract).Select(NameOf)];
        options.Should().HaveCountGreaterThan(9);
        policies.Should().HaveCountGreaterThan(7);
        OptionsThatKnow(Core().Arrows, options, policies).Should().BeEmpty();
        TypeArrow planted = new("RetryOptions", "Retry/RetryOptions.cs", "Rule", "Retry/Rule.cs");
        TypeArrow further = new("Rule", "Retry/Rule.cs", "RetryPolicy", "Retry/RetryPolicy.cs");
        OptionsThatKnow([planted, further], options, policies).Should().Equal("RetryOptions knows RetryPolicy");

        static string NameOf(Type type) => type.Name.Split('`')[0];
    }

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
