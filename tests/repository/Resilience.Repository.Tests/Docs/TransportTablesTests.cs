using Resilience.Transports;

namespace Resilience.Tests.Docs;

/// <summary>The tables of the page on transports are written from the data by which outcomes are judged.</summary>
public sealed class TransportTablesTests
{
    private const string End = "<!-- end of table -->";

    private static readonly TransportTable[] Tables =
    [
        .. typeof(TransportTable).Assembly.GetExportedTypes().SelectMany(t => t.GetProperties())
            .Where(p => p.PropertyType == typeof(TransportTable)).Select(p => (TransportTable)p.GetValue(null)!),
    ];

    private static string Page => Path.Combine(Repository.Root, "docs", "transports.md");

    public static TheoryData<string> Names() => [.. Tables.Select(t => t.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void The_table_of_the_page_is_the_one_that_judges(string name)
    {
        string text = File.ReadAllText(Page).ReplaceLineEndings("\n"), begin = $"<!-- table of {name} -->";
        int from = text.IndexOf(begin, StringComparison.Ordinal), to = from < 0 ? -1 : text.IndexOf(End, from, StringComparison.Ordinal);
        to.Should().BePositive("the page has the marks {0} and {1}", begin, End);
        string written = $"{begin}\n\n{Tables.Single(t => t.Name == name)}\n{End}";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1")
            File.WriteAllText(Page, text = text[..from] + written + text[(to + End.Length)..]);
        text.Should().Contain(written, "the table has changed: look at it, and write it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    [Fact]
    public void The_page_has_the_tables_of_the_core_and_no_other() => File.ReadAllLines(Page)
        .Where(l => l.StartsWith("<!-- table of ", StringComparison.Ordinal)).Should().BeEquivalentTo(Tables.Select(t => $"<!-- table of {t.Name} -->"));
}
