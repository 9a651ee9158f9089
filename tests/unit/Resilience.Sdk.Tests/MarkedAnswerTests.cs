namespace Resilience.Tests.Sdks;

/// <summary>What libraries above a service do with an answer that asks not to be repeated: requests to a real server, counted, without the mark and with it.
/// The table of docs/deadlines.md is made of the counts; RESILIENCE_ACCEPT_API=1 writes it anew, for a later version of a package.</summary>
public sealed class MarkedAnswerTests
{
    private const string Begin = "<!-- table of callers -->", End = "<!-- end of the table -->";

    private static readonly int[] Statuses = [503, 504, 429, 499];

    private static readonly string Page = Path.Combine(Repository.Root, "docs", "deadlines.md");

    private static async Task<int> RequestsAsync(CallerThatRetries caller, int status, bool isMarked)
    {
        await using Service service = await Service.OpenAsync(_ => status, http2: caller.IsGrpc);
        if (isMarked) service.Headers[caller.Mark] = caller.Value;
        (await Record.ExceptionAsync(() => caller.CallAsync(service.Address))).Should().NotBeNull("{0}: the answer is {1}", caller.Name, status);
        return service.Count;
    }

    private static async Task<string> RowAsync(CallerThatRetries caller)
    {
        string[] cells = await Task.WhenAll(Statuses.Select(async status =>
            $"{await RequestsAsync(caller, status, isMarked: false)} → {await RequestsAsync(caller, status, isMarked: true)}"));
        return $"| {caller.Name} | `{caller.Mark}: {caller.Value}` | {string.Join(" | ", cells)} |";
    }

    [Fact]
    public async Task The_table_of_the_page_is_what_each_package_does()
    {
        string[] rows = await Task.WhenAll(CallerThatRetries.All.Select(RowAsync));
        string rule = $"|---|---|{string.Concat(Statuses.Select(static _ => "---|"))}";
        string table = $"{Begin}\n| caller, with one retry | marked by | {string.Join(" | ", Statuses)} |\n{rule}\n"
            + $"{string.Join('\n', rows)}\n{End}";
        string page = (await File.ReadAllTextAsync(Page)).ReplaceLineEndings("\n");
        int from = page.IndexOf(Begin, StringComparison.Ordinal), to = page.IndexOf(End, StringComparison.Ordinal) + End.Length;
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1")
        {
            page = page[..from] + table + page[to..];
            await File.WriteAllTextAsync(Page, page);
            to = from + table.Length;
        }

        page[from..to].Should().Be(table, "a package does something else now: read the difference, and accept it with RESILIENCE_ACCEPT_API=1");
    }

    /// <summary>What the page says of them in words.</summary>
    [Fact]
    public async Task The_mark_stops_some_a_status_others_and_nothing_stops_all()
    {
        foreach (CallerThatRetries caller in CallerThatRetries.All)
        {
            (await RequestsAsync(caller, 503, isMarked: false)).Should().Be(2, "{0} repeats 503 once: the counts mean something", caller.Name);
            (await RequestsAsync(caller, 499, isMarked: true)).Should().Be(1, "{0}: 499 and the mark stop all", caller.Name);
        }
    }
}
