using Resilience.Transports;

namespace Resilience.Tests.Docs;

/// <summary>The page on gRPC has the table by which statuses are judged.</summary>
public sealed class GrpcPageTests
{
    private const string Begin = "<!-- table of gRPC -->", End = "<!-- end of table -->";

    [Fact]
    public void The_table_of_the_page_on_gRPC_is_the_one_that_judges()
    {
        string page = Path.Combine(Repository.Root, "docs", "grpc.md"), text = File.ReadAllText(page).ReplaceLineEndings("\n");
        int from = text.IndexOf(Begin, StringComparison.Ordinal), to = text.IndexOf(End, StringComparison.Ordinal);
        to.Should().BeGreaterThan(from).And.BePositive("the page has the marks {0} and {1}", Begin, End);
        string written = $"{Begin}\n\n{GrpcStatuses.All}\n{End}";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1")
            File.WriteAllText(page, text = text[..from] + written + text[(to + End.Length)..]);
        text.Should().Contain(written, "the table has changed: look at it, and write it by running this test with RESILIENCE_ACCEPT_API=1");
    }
}
