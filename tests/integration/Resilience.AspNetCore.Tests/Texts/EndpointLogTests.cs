using System.Reflection;
using Microsoft.Extensions.Logging;
using Resilience.Tests;

namespace Resilience.AspNetCore.Tests;

/// <summary>Every line that endpoints and the live page log stands in a file that is reviewed, and in the table of docs/telemetry.md.</summary>
public sealed class EndpointLogTests
{
    private static readonly string File = Path.Combine(Repository.Root, "docs", "endpoint-log-lines.txt");

    private static IEnumerable<LoggerMessageAttribute> Declared => typeof(EndpointLog).GetMethods(BindingFlags.Static | BindingFlags.NonPublic)
        .Select(m => m.GetCustomAttribute<LoggerMessageAttribute>()).OfType<LoggerMessageAttribute>();

    private static string[] Written()
    {
        ReviewedLines lines = new();
        IOException error = new();
        EndpointLog.Misconfigured(lines, "POST /charges", "the store keeps nothing: its connection has no database");
        EndpointLog.AnonymousCallersRejected(lines, "POST /charges");
        EndpointLog.OutcomeUnknown(lines, "POST /charges", "9f86d081884c7d65");
        EndpointLog.ReconcilingFailed(lines, "POST /charges", "9f86d081884c7d65", error);
        EndpointLog.ResponseNotKept(lines, "POST /charges", "9f86d081884c7d65", error);
        EndpointLog.PageReadingFailed(lines, error);
        EndpointLog.PageActed(lines, "ann", "isolated", "orders/circuit-breaker");
        foreach (ResolveStatus answer in Enum.GetValues<ResolveStatus>().Except([ResolveStatus.None]))
            EndpointLog.PageResolved(lines, "ann", "9f86d081884c7d65", "orders", "not done: the next request executes it", DashboardRecords.AnswerOf(answer));
        EndpointLog.PageRecordFailed(lines, "ann", "9f86d081884c7d65", "orders", error);
        EndpointLog.PageLocked(lines, "/resilience");
        foreach (string stage in (string[])["arrival", "queue", "running"]) EndpointLog.DeadlineExpired(lines, "GET /prices", stage);
        return lines.All;
    }

    [Fact]
    public void Every_line_is_reviewed()
    {
        string written = string.Join("\n", Written()) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(File, written);
        System.IO.File.ReadAllText(File).ReplaceLineEndings("\n").Should().Be(
            written, "a line has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
        Declared.Where(m => !written.Contains($" {m.EventName}:", StringComparison.Ordinal)).Should().BeEmpty("each is printed");
    }

    [Fact]
    public void Every_line_stands_in_the_table_of_the_documents()
    {
        string page = System.IO.File.ReadAllText(Path.Combine(Repository.Root, "docs", "telemetry.md"));
        foreach (LoggerMessageAttribute line in Declared) page.Should().Contain($"| {line.EventId} | {line.Level} | `{line.EventName}` | `{line.Message}` |");
    }
}
