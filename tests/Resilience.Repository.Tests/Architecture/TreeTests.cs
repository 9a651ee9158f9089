using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>A type is found by its name in the tree: one public type for each file, in a file of its name, and few files in the root of a project.</summary>
public sealed class TreeTests
{
    private const int MaxFilesInRoot = 16;

    private const int MaxLinesOfType = 400;

    private static IEnumerable<string> Complaints(string file, string text)
    {
        MemberDeclarationSyntax[] types =
            [.. CSharpSyntaxTree.ParseText(text).GetCompilationUnitRoot().Members.SelectMany(m => m is BaseNamespaceDeclarationSyntax space ? (IEnumerable<MemberDeclarationSyntax>)space.Members : [m])];

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
        string.Join("\n", Repository.Files("src", "*.cs").SelectMany(f => Complaints(Repository.Relative(f), File.ReadAllText(f)))).Should().BeEmpty();

    private static readonly string[] Shipped = ["src", "samples", "benchmarks"];

    [Fact]
    public void The_root_of_a_project_has_few_files()
    {
        string[] crowded =
        [
            .. Shipped.SelectMany(s => Directory.GetDirectories(Path.Combine(Repository.Root, s)))
                .Where(d => Directory.GetFiles(d, "*.cs").Length > MaxFilesInRoot).Select(d => Path.GetFileName(d)),
        ];
        crowded.Should().BeEmpty();
    }

    [Fact]
    public void No_file_is_long() => Shipped.SelectMany(s => Repository.Files(s, "*.cs"))
        .Where(f => File.ReadAllLines(f).Length > MaxLinesOfType).Select(Repository.Relative).Should().BeEmpty();

    /// <summary>Classes that are too long, be it in parts: the lines of all parts of a type count.</summary>
    private static IEnumerable<string> LongTypes(IEnumerable<(string File, string Text)> sources) =>
        from source in sources
        from type in CSharpSyntaxTree.ParseText(source.Text).GetCompilationUnitRoot().DescendantNodes().OfType<TypeDeclarationSyntax>()
        let name = $"{source.File.Split('/')[1]} {type.Identifier.Text}{type.TypeParameterList}"
        let span = type.GetLocation().GetLineSpan()
        group span.EndLinePosition.Line - span.StartLinePosition.Line + 1 by name into parts
        where parts.Sum() > MaxLinesOfType
        select $"{parts.Key} has {parts.Sum()} lines in {parts.Count()} parts";

    [Fact]
    public void No_class_is_long_by_way_of_its_parts() =>
        LongTypes(Repository.Files("src", "*.cs").Select(f => (Repository.Relative(f), File.ReadAllText(f)))).Should().BeEmpty();

    [Fact]
    public void A_planted_class_of_two_long_parts_is_found()
    {
        string part = "partial class Long\n{\n" + new string('\n', MaxLinesOfType / 2) + "}\n";
        LongTypes([("src/P/Long.A.cs", part), ("src/P/Long.B.cs", $"namespace N;\n{part}"), ("src/Q/Long.cs", part)])
            .Should().Equal($"P Long has {MaxLinesOfType + 6} lines in 2 parts");
    }

    [Theory]
    [InlineData("A.cs", "namespace N; public class A; public enum B { }", "A.cs has 2 public types: A, B")]
    [InlineData("A.cs", "namespace N { public class A; public delegate void B(); }", "A.cs has 2 public types: A, B")]
    [InlineData("A.cs", "public struct B;", "A.cs has the public type B")]
    public void A_planted_crowd_is_found(string file, string text, string complaint) => Complaints(file, text).Should().Equal(complaint);

    [Theory]
    [InlineData("A.cs", "namespace N; public class A; public class A<T>; internal class B;")]
    [InlineData("A.Part.cs", "namespace N; public partial class A;")]
    public void What_belongs_together_may_stand_together(string file, string text) => Complaints(file, text).Should().BeEmpty();
}
