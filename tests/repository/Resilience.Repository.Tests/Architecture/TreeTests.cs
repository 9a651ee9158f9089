using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>A type is found by its name in the tree: one public type for each file, in a file of its name, and few files in the root of a project.</summary>
public sealed partial class TreeTests
{
    private const int MaxFilesInRoot = 16;

    private const int MaxFilesInFolder = 40;

    private const int MaxLinesOfType = 400;

    private static IEnumerable<string> Complaints(string file, string text)
    {
        MemberDeclarationSyntax[] types =
            [.. CSharpSyntaxTree.ParseText(text).GetCompilationUnitRoot()
                .Members.SelectMany(m => m is BaseNamespaceDeclarationSyntax space ? (IEnumerable<MemberDeclarationSyntax>)space.Members : [m])];

        // A type and its twin for a type of result, such as Outcome and Outcome<T>, are one concept.
        string[] names = [.. types.Where(IsPublic).Select(NameOf).Distinct()];
        string own = Path.GetFileName(file).Split('.')[0];
        if (names.Length > 1) yield return $"{file} has {names.Length} public types: {string.Join(", ", names)}";
        else if (names.Length == 1 && names[0] != own) yield return $"{file} has the public type {names[0]}";

        static bool IsPublic(MemberDeclarationSyntax type) => type.Modifiers.Any(m => m.IsKind(SyntaxKind.PublicKeyword));

        static string NameOf(MemberDeclarationSyntax type) => type switch
        {
            BaseTypeDeclarationSyntax named => named.Identifier.Text,
            DelegateDeclarationSyntax named => named.Identifier.Text,
            _ => "",
        };
    }

    [Fact]
    public void A_file_has_one_public_type_of_its_own_name() =>
        Repository.Files("src", "*.cs").SelectMany(f => Complaints(Repository.Relative(f), File.ReadAllText(f))).ShouldBeNone();

    private static readonly string[] Shipped = ["src", "samples", "benchmarks"];

    /// <summary>Every file counts that a person sees there, in projects of tests as in others.</summary>
    private static IEnumerable<string> CrowdedRoots(IEnumerable<(string Project, int Files)> roots) =>
        roots.Where(r => r.Files > MaxFilesInRoot).Select(r => $"{r.Project} has {r.Files} files in its root");

    [Fact]
    public void The_root_of_a_project_has_few_files()
    {
        (string Project, int Files)[] roots =
            [.. Repository.Files(".", "*.csproj").Select(p => Path.GetDirectoryName(p)!).Select(d => (Repository.Relative(d), Directory.GetFiles(d).Length))];
        roots.Should().HaveCountGreaterThan(40);
        CrowdedRoots(roots).ShouldBeNone();
        CrowdedRoots([("planted", MaxFilesInRoot + 1), ("fine", MaxFilesInRoot)]).Should().Equal($"planted has {MaxFilesInRoot + 1} files in its root");
    }

    /// <summary>A second type in a file is a small part of the first: its state, the record that it gives back. What is longer, or one of many, has a file
    /// of its own name. A type and its twin for a type of result count as one.</summary>
    private const int MaxTypesInFile = 3, MaxLinesOfSecondType = 20;

    private static IEnumerable<string> ThatWantAFile(string file, string text)
    {
        string own = Path.GetFileName(file).Split('.')[0];
        (string Name, int Lines)[] types =
        [
            .. from member in CSharpSyntaxTree.ParseText(text).GetCompilationUnitRoot()
                   .Members.SelectMany(m => m is BaseNamespaceDeclarationSyntax space ? (IEnumerable<MemberDeclarationSyntax>)space.Members : [m])
               let name = (member as BaseTypeDeclarationSyntax)?.Identifier.Text ?? (member as DelegateDeclarationSyntax)?.Identifier.Text
               where name is not null
               let span = member.GetLocation().GetLineSpan()
               group span.EndLinePosition.Line - span.StartLinePosition.Line + 1 by name into parts
               select (parts.Key, parts.Sum()),
        ];
        if (types.Length > MaxTypesInFile) yield return $"{file} has {types.Length} types";
        string first = types.Any(t => t.Name == own) ? own : types.FirstOrDefault().Name;
        foreach ((string name, int lines) in types.Where(t => t.Name != first && t.Lines > MaxLinesOfSecondType))
            yield return $"{file}: {name} has {lines} lines, and no file of its name";
    }

    [Fact]
    public void A_second_type_in_a_file_is_small()
    {
        Repository.Files("src", "*.cs").SelectMany(f => ThatWantAFile(Repository.Relative(f), File.ReadAllText(f))).ShouldBeNone();
        string many = new('\n', MaxLinesOfSecondType);
        ThatWantAFile("A.cs", $"class A {{{many}}} class A<T> {{{many}}} record B(int C);").ShouldBeNone();
        ThatWantAFile("A.cs", $"class A {{{many}}} class B {{{many}}}").Should().Equal($"A.cs: B has {MaxLinesOfSecondType + 1} lines, and no file of its name");
        ThatWantAFile("C.cs", "record A; record B; enum C; delegate void D();").Should().Equal("C.cs has 4 types");
    }

    /// <summary>Folders in which a newcomer does not find a file at a glance.</summary>
    private static IEnumerable<string> Crowded(IEnumerable<string> files) => files
        .GroupBy(f => f[..f.LastIndexOf('/')]).Where(g => g.Count() > MaxFilesInFolder).Select(g => $"{g.Key} has {g.Count()} files");

    [Fact]
    public void No_folder_is_crowded()
    {
        Crowded(Shipped.SelectMany(s => Repository.Files(s, "*.cs")).Select(Repository.Relative)).ShouldBeNone();
        Crowded(Enumerable.Range(0, MaxFilesInFolder + 1).Select(i => $"src/P/F/{i}.cs").Append("src/P/G/0.cs")).Should().Equal("src/P/F has 41 files");
    }

    [Fact]
    public void No_file_is_long() => Shipped.SelectMany(s => Repository.Files(s, "*.cs"))
        .Where(f => File.ReadAllLines(f).Length > MaxLinesOfType).Select(Repository.Relative).ShouldBeNone();

    /// <summary>Classes that are too long, be it in parts: the lines of all parts of a type count.</summary>
    private static IEnumerable<string> LongTypes(IEnumerable<(string File, string Text)> sources) =>
        from source in sources
        from type in CSharpSyntaxTree.ParseText(source.Text).GetCompilationUnitRoot().DescendantNodes().OfType<TypeDeclarationSyntax>()
        let outer = type.AncestorsAndSelf().OfType<TypeDeclarationSyntax>().Reverse() // each policy has a Link of its own
        let name = $"{source.File.Split('/')[1]} {string.Join(".", outer.Select(t => t.Identifier.Text + t.TypeParameterList))}"
        let span = type.GetLocation().GetLineSpan()
        group span.EndLinePosition.Line - span.StartLinePosition.Line + 1 by name into parts
        where parts.Sum() > MaxLinesOfType
        select $"{parts.Key} has {parts.Sum()} lines in {parts.Count()} parts";

    [Fact]
    public void No_class_is_long_by_way_of_its_parts() =>
        LongTypes(Repository.Files("src", "*.cs").Select(f => (Repository.Relative(f), File.ReadAllText(f)))).ShouldBeNone();

    [Fact]
    public void A_planted_class_of_two_long_parts_is_found()
    {
        string part = "partial class Long\n{\n" + new string('\n', MaxLinesOfType / 2) + "}\n";
        LongTypes([("src/P/Long.A.cs", part), ("src/P/Long.B.cs", $"namespace N;\n{part}"), ("src/Q/Long.cs", part)])
            .Should().Equal($"P Long has {MaxLinesOfType + 6} lines in 2 parts");
        LongTypes([("src/P/A.cs", $"class A {{ {part} }}"), ("src/P/B.cs", $"class B {{ {part} }}")]).ShouldBeNone(); // they are two classes
    }

    private static readonly string[] Kinds = ["unit", "integration", "proofs", "repository"];

    /// <summary>What is wrong with the place of a project of tests, from its file and its sources.</summary>
    private static IEnumerable<string> Misplaced(string project, string text, IEnumerable<string> sources)
    {
        if (project.Split('/') is not ["tests", { } folder, { } name, { } file] || !Kinds.Contains(folder) || file != $"{name}.csproj")
        {
            yield return $"{project} stands in none of tests/unit, integration, proofs and repository";
            yield break;
        }

        if (folder != "unit") yield break;
        if (text.Contains("<NeedsTools>true", StringComparison.Ordinal) || sources.Any(s => s.Contains("[Requires(", StringComparison.Ordinal)))
            yield return $"{project} needs more than the SDK";
        foreach (Match reference in Referenced().Matches(text))
        {
            if (!reference.Groups[1].Value.StartsWith("../../../src/", StringComparison.Ordinal)) yield return $"{project} uses {reference.Groups[1].Value}";
            else if (name == "Resilience.Tests" && !reference.Value.Contains("/Resilience.Core/", StringComparison.Ordinal))
                yield return $"{project} is about the core alone, and uses {reference.Groups[1].Value}";
        }
    }

    [GeneratedRegex("<ProjectReference Include=\"([^\"]+)\"")]
    private static partial Regex Referenced();

    [Fact]
    public void Every_project_of_tests_stands_where_its_needs_say()
    {
        string[] projects = [.. Repository.Files("tests", "*.csproj").Select(Repository.Relative)];
        projects.Should().HaveCountGreaterThan(15);
        projects.SelectMany(p => Misplaced(
            p, File.ReadAllText(Path.Combine(Repository.Root, p)), Repository.Files(Path.GetDirectoryName(p)!, "*.cs").Select(File.ReadAllText))).ShouldBeNone();
    }

    [Theory]
    [InlineData("tests/P.Tests/P.Tests.csproj", "", "", "tests/P.Tests/P.Tests.csproj stands in none of *")]
    [InlineData("tests/other/P.Tests/P.Tests.csproj", "", "", "* stands in none of *")]
    [InlineData("tests/unit/P.Tests/P.Tests.csproj", "<NeedsTools>true</NeedsTools>", "", "* needs more than the SDK")]
    [InlineData("tests/unit/P.Tests/P.Tests.csproj", "", "[Requires(Tool.Redis)]", "* needs more than the SDK")]
    [InlineData("tests/unit/P.Tests/P.Tests.csproj", "<ProjectReference Include=\"../../proofs/Q/Q.csproj\" />", "", "* uses ../../proofs/Q/Q.csproj")]
    [InlineData(
        "tests/unit/Resilience.Tests/Resilience.Tests.csproj", "<ProjectReference Include=\"../../../src/Q/Q.csproj\" />", "", "* about the core alone, and uses *Q.csproj")]
    public void A_planted_project_in_the_wrong_folder_is_found(string project, string text, string source, string complaint) =>
        Misplaced(project, text, [source]).Should().ContainSingle().Which.Should().Match(complaint);

    [Theory]
    [InlineData("A.cs", "namespace N; public class A; public enum B { }", "A.cs has 2 public types: A, B")]
    [InlineData("A.cs", "namespace N { public class A; public delegate void B(); }", "A.cs has 2 public types: A, B")]
    [InlineData("A.cs", "public struct B;", "A.cs has the public type B")]
    public void A_planted_crowd_is_found(string file, string text, string complaint) => Complaints(file, text).Should().Equal(complaint);

    [Theory]
    [InlineData("A.cs", "namespace N; public class A; public class A<T>; internal class B;")]
    [InlineData("A.Part.cs", "namespace N; public partial class A;")]
    public void What_belongs_together_may_stand_together(string file, string text) => Complaints(file, text).ShouldBeNone();
}
