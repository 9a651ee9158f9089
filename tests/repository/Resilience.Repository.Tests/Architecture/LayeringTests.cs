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
        ["Retry", "CircuitBreaker", "Timeout", "Fallback", "Limiting", "AdaptiveLimiting", "Hedging", "Chaos", "Throttling", "Endpoints"],
        ["LoadShedding"], // a limit with signals of resources around it
        ["Idempotency"], // its way to a store is a pipeline of ours: repeat, guard, bound in time (decision 0026)
        ["Standard"], // the list of what comes with the library
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

        foreach (string circle in Circles(Between(arrows, Project))) yield return circle;
    }

    /// <summary>The arrows between folders of a project, those inside of folders too: <c>Idempotency/Gate</c> is another one than <c>Idempotency/Claims</c>.</summary>
    private static IEnumerable<(string From, string To)> Between(IEnumerable<TypeArrow> arrows, string project) =>
        from a in arrows
        let f = (From: FullFolderOf(a.FromFile, project), To: FullFolderOf(a.ToFile, project))
        where f.From != f.To
        select f;

    /// <summary>The root of a project is a folder as well.</summary>
    private static string FullFolderOf(string file, string project)
    {
        int start = file.LastIndexOf(project, StringComparison.Ordinal);
        return Path.GetDirectoryName(file[(start < 0 ? 0 : start + project.Length)..]) is { Length: > 0 } folder ? folder.Replace('\\', '/') : ".";
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
        IEnumerable<SyntaxTree> trees = sources.Append(("Threading/Usings.cs", Usings)).Select(s => Parse(s.Item1, s.Item2));
        return CSharpCompilation.Create("Layers", trees, References.Framework, new(OutputKind.DynamicallyLinkedLibrary));
    }

    private static SyntaxTree Parse(string file, string text) => CSharpSyntaxTree.ParseText(text, path: file, encoding: Encoding.UTF8);

    private static readonly Lazy<CSharpCompilation> Source = new(() => Compile(Sources()));

    /// <summary>The arrows that the source names, by the compiler's own understanding of it: of all of it, or of one file that is planted beside it.</summary>
    private static List<string> WrongArrowsOfSource(string? file = null, string planted = "")
    {
        SyntaxTree? plant = file is null ? null : Parse(file, planted);
        CSharpCompilation compilation = plant is null ? Source.Value : Source.Value.AddSyntaxTrees(plant);
        SyntaxTree[] trees = plant is null ? [.. compilation.SyntaxTrees] : [plant];
        List<string> wrong = [];
        HashSet<TypeArrow> arrows = [];
        foreach (SyntaxTree tree in trees)
        {
            // What does not compile has no symbols, and an arrow without a symbol would not be seen.
            SemanticModel model = compilation.GetSemanticModel(tree);
            wrong.AddRange(model.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Select(d => $"not read: {d}"));
            foreach (SimpleNameSyntax name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>())
            {
                ISymbol? symbol = model.GetSymbolInfo(name).Symbol;
                INamedTypeSymbol? type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition;
                if (type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath is not { } declared) continue;
                arrows.Add(new(Path.GetFileNameWithoutExtension(tree.FilePath), tree.FilePath, type.Name, declared));
            }
        }

        return [.. wrong, .. WrongArrows(arrows, trees.Select(t => t.FilePath))];
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

    private static (IReadOnlyList<TypeArrow> Arrows, IReadOnlyList<string> Files) Shipped(System.Reflection.Assembly package)
    {
        using FileStream assembly = File.OpenRead(package.Location), symbols = File.OpenRead(Path.ChangeExtension(package.Location, ".pdb"));
        return TypeArrows.Read(assembly, symbols);
    }

    private static (IReadOnlyList<TypeArrow> Arrows, IReadOnlyList<string> Files) Core() => Shipped(typeof(ResiliencePipeline).Assembly);

    /// <summary>The packages, by their folders in src.</summary>
    public static TheoryData<string> Packages =>
        [.. Directory.GetDirectories(Path.Combine(Repository.Root, "src"), "Resilience.*").Select(d => Path.GetFileName(d))];

    /// <summary>Circles of folders by what the source names, constants too. What is referenced from elsewhere need not be understood for that: the types of a
    /// package are declared in it.</summary>
    private static List<string> CirclesOfSource(string package, IEnumerable<(string File, string Text)> sources)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            package, sources.Select(s => Parse($"{package}/{s.File}", s.Text)), References.Packages, new(OutputKind.DynamicallyLinkedLibrary));
        return [.. Circles(Between([.. ArrowsOf(compilation)], package + "/"))];
    }

    private static IEnumerable<TypeArrow> ArrowsOf(CSharpCompilation compilation) =>
        from tree in compilation.SyntaxTrees
        let model = compilation.GetSemanticModel(tree)
        from name in tree.GetRoot().DescendantNodes().OfType<SimpleNameSyntax>()
        let symbol = model.GetSymbolInfo(name) is var info && info.Symbol is null && info.CandidateSymbols.Length > 0 ? info.CandidateSymbols[0] : info.Symbol
        let type = (symbol as INamedTypeSymbol ?? symbol?.ContainingType)?.OriginalDefinition
        let declared = type?.DeclaringSyntaxReferences.FirstOrDefault()?.SyntaxTree.FilePath
        where declared is not null
        select new TypeArrow(Path.GetFileNameWithoutExtension(tree.FilePath), tree.FilePath, type.Name, declared);

    [Theory]
    [MemberData(nameof(Packages))]
    public void No_folders_of_a_package_use_each_other(string package)
    {
        string root = Path.Combine(Repository.Root, "src", package);
        string.Join("\n", CirclesOfSource(
            package, Repository.Files($"src/{package}", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f))))).Should().BeEmpty();
    }

    [Theory]
    [InlineData("A/One.cs", "class One { Two? t; }", "B/Two.cs", "class Two { One? o; }", "a circle: A → B → A")]
    [InlineData("A/One.cs", "class One { internal const int N = 1; Two? t; }", "B/Two.cs", "class Two { int M() => One.N; }", "a circle: A → B → A")]
    [InlineData("One.cs", "class One { Two? t; }", "B/Two.cs", "class Two { string M() => nameof(One); }", "a circle: . → B → .")]
    [InlineData("A/One.cs", "class One { Two? t; }", "A/B/Two.cs", "class Two : Unknown { One? o; }", "a circle: A → A/B → A")]
    public void A_planted_circle_of_a_package_is_found(string first, string one, string second, string two, string complaint)
    {
        CirclesOfSource("P", [(first, one), (second, two)]).Should().Equal(complaint);
        CirclesOfSource("P", [(first, one), (second, "class Two { }")]).Should().BeEmpty();
    }

    /// <summary>The same by what was compiled, which knows what the compiler made of the source.</summary>
    [Fact]
    public void No_folders_of_a_compiled_package_use_each_other()
    {
        List<string> circles = [];
        int arrows = 0;
        foreach (System.Reflection.Assembly package in TypeNamesTests.Ours)
        {
            string project = package.GetName().Name + "/";
            (string From, string To)[] between = [.. Between(Shipped(package).Arrows.Where(a => IsOwn(a.FromFile) && IsOwn(a.ToFile)), project)];
            arrows += between.Length;
            circles.AddRange(Circles(between).Select(c => $"{project} {c}"));

            bool IsOwn(string file) => file.Contains($"/{project}", StringComparison.Ordinal);
        }

        arrows.Should().BeGreaterThan(500);
        string.Join("\n", circles).Should().BeEmpty();
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
    public void Every_arrow_between_folders_of_the_source_points_downwards() => WrongArrowsOfSource().Should().BeEmpty();

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
        WrongArrowsOfCompiled([("Idempotency/Gate/A.cs", "class A { B? b; }"), ("Idempotency/Claims/B.cs", "class B { A? a; }")])
            .Should().Equal("a circle: Idempotency/Claims → Idempotency/Gate → Idempotency/Claims");
        WrongArrowsOfCompiled([("Retry/A.cs", "class A { B? b; }"), ("Retry/Rules/B.cs", "class B { A? a; }")])
            .Should().Equal("a circle: Retry → Retry/Rules → Retry");
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
        WrongArrowsOfSource(file, $"using Resilience.Idempotency; namespace Resilience; {code}").Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("Hedging/Planted.cs", "class Planted { RetryBudget? b; }")]
    [InlineData("Hedging/Planted.cs", "/// <summary>See <see cref=\"CircuitBreaker\"/>.</summary>\nclass Planted;")]
    [InlineData("Retry/Planted.cs", "class Planted { Outcome<int> o; object p = ResiliencePipeline.Empty; }")]
    public void The_check_lets_a_planted_arrow_downwards_pass(string file, string code) =>
        WrongArrowsOfSource(file, $"namespace Resilience;\n{code}").Should().BeEmpty();

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
}
