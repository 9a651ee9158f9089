using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Resilience.Tests.Architecture;

/// <summary>The folders of Resilience.Extensions: no other code knows those that know the container, so everything can be used without one.</summary>
public sealed class ExtensionsLayeringTests
{
    /// <summary>Which rooms the files of a room may look into, besides their own.</summary>
    private static readonly Dictionary<string, string[]> Floors = new()
    {
        ["Calls"] = [],
        ["Guards"] = [],
        ["RateLimiting"] = ["Guards"],
        ["Logging"] = ["RateLimiting", "Guards"],
        ["Http"] = ["Guards"],
        ["Configuration"] = ["Logging", "Http", "Guards"],
        ["DependencyInjection"] = ["Configuration", "Http", "Logging", "RateLimiting", "Guards"],
    };

    private static IEnumerable<(string File, string Text)> Sources()
    {
        string root = Path.Combine(Repository.Root, "src", "Resilience.Extensions");
        return Repository.Files("src/Resilience.Extensions", "*.cs").Select(f => (Path.GetRelativePath(root, f).Replace('\\', '/'), File.ReadAllText(f)));
    }

    /// <summary>By the names of the types: each is declared once, and half of the code that they need is generated when it is compiled.</summary>
    private static List<string> WrongArrows(IEnumerable<(string File, string Text)> sources)
    {
        (string Room, string File, SyntaxNode Root)[] files =
            [.. sources.Select(s => (s.File.Split('/')[0], s.File, CSharpSyntaxTree.ParseText(s.Text).GetRoot()))];
        List<string> wrong = [.. files.Where(f => !Floors.ContainsKey(f.Room))
            .Select(f => $"{f.File} is on no floor: give its folder one, at the top of this test")];
        ILookup<string, string> homes = files
            .SelectMany(f => f.Root.DescendantNodes().OfType<BaseTypeDeclarationSyntax>().Where(t => t.Parent is not TypeDeclarationSyntax)
                .Select(t => (Name: t.Identifier.Text, f.Room))).Distinct().ToLookup(t => t.Name, t => t.Room);
        foreach ((string room, string file, SyntaxNode root) in files.Where(f => Floors.ContainsKey(f.Room)))
        {
            foreach (SimpleNameSyntax name in root.DescendantNodes().OfType<SimpleNameSyntax>())
            {
                string[] declared = [.. homes[name.Identifier.Text]];
                if (declared.Length > 0 && !declared.Contains(room) && !declared.Any(d => Floors[room].Contains(d)))
                    wrong.Add($"{file} ({room}) uses {name.Identifier.Text} of {declared[0]}");
            }
        }

        return [.. wrong.Distinct()];
    }

    [Fact]
    public void Every_arrow_between_rooms_points_downwards() => WrongArrows(Sources()).ShouldBeNone();

    [Theory]
    [InlineData("Http/Planted.cs", "class Planted { HttpResilienceProvider? p; }", "Http/Planted.cs (Http) uses HttpResilienceProvider of DependencyInjection")]
    [InlineData("Http/Planted.cs", "class Planted { PipelineSettings? s; }", "Http/Planted.cs (Http) uses PipelineSettings of Configuration")]
    [InlineData("Configuration/Planted.cs", "class Planted { ResiliencePipelineProvider? p; }", "Configuration/Planted.cs (Configuration) uses *")]
    [InlineData("Attic/Planted.cs", "class Planted;", "Attic/Planted.cs is on no floor*")]
    public void The_check_finds_a_planted_arrow(string file, string code, string complaint) =>
        WrongArrows([.. Sources(), (file, $"namespace Resilience; {code}")]).Should().ContainSingle().Which.Should().Match(complaint);
}
