namespace Resilience.Tests.Architecture;

/// <summary>A check that fails says all that it has found.</summary>
public sealed class FindingsTests
{
    /// <summary>They still show the first; the list may only become shorter.</summary>
    private static readonly string[] NotYet = ["LayeringTests.cs", "PublicApiTests.cs", "MessageTextTests.cs", "LogLineTests.cs", "QuotedTextTests.cs", "TourTests.cs"];

    private static IEnumerable<string> ThatShowOne(string file, string text) =>
        text.Split('\n').Select((line, i) => (line, i)).Where(l => l.line.Contains(".Should()" + ".BeEmpty(", StringComparison.Ordinal)).Select(l => $"{file}:{l.i + 1}");

    [Fact]
    public void A_failure_shows_every_finding()
    {
        FluentActions.Invoking(() => new[] { "a.cs:1", "b.cs:2", "c.cs:3" }.ShouldBeNone("because")).Should().Throw<Exception>().WithMessage("*a.cs:1*b.cs:2*c.cs:3*");
        FluentActions.Invoking(() => Array.Empty<string>().ShouldBeNone()).Should().NotThrow();
    }

    [Fact]
    public void No_check_of_the_repository_shows_the_first_finding_alone()
    {
        Repository.Files("tests/repository", "*.cs").Where(f => Path.GetFileName(f) != "Findings.cs" && !NotYet.Contains(Path.GetFileName(f)))
            .SelectMany(f => ThatShowOne(Repository.Relative(f), File.ReadAllText(f))).ShouldBeNone();
        ThatShowOne("Planted.cs", "found\n    .Should()" + ".BeEmpty();").Should().Equal("Planted.cs:2");
    }
}
