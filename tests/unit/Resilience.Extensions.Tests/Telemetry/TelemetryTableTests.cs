using System.Diagnostics;
using System.Reflection;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Telemetry;

/// <summary>docs/telemetry.md says what the code does: nothing more, nothing less. Listeners see the whole process, so these tests run alone.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TelemetryTableTests
{
    /// <summary>What the document says, and in what that differs from the code; planted differences are made in a copy of its text.</summary>
    private static async Task<Heard> ListenAsync()
    {
        using Heard heard = new();
        await Everything.HappenAsync(heard);
        return heard;
    }

    [Fact]
    public async Task Metrics_spans_and_events_are_those_of_the_table_and_planted_differences_are_found()
    {
        Heard heard = await ListenAsync();
        heard.Differences(TelemetryTable.Read(TelemetryTable.Text)).Should().BeEmpty();

        (string Was, string Becomes, string Complaint)[] planted =
        [
            (RowOf("resilience.timeouts"), "", "The instrument resilience.timeouts (counter, {timeout}) has no row*"),
            (RowOf("resilience.timeouts"), RowOf("resilience.timeouts") + RowOf("resilience.timeouts")
                .Replace("resilience.timeouts", "resilience.planted", StringComparison.Ordinal), "*resilience.planted*nothing published it*"),
            ("| `resilience.timeouts` | counter | `{timeout}`", "| `resilience.timeouts` | counter | `{call}`",
                "resilience.timeouts is*the table says (counter, {call})*"),
            ("| `resilience.fallbacks` | counter", "| `resilience.fallbacks` | histogram", "resilience.fallbacks is*the table says (histogram*"),
            ("`queue_full` `waited_too_long`", "`waited_too_long`", "*resilience.concurrency_limit.rejections has resilience.reason = queue_full*"),
            ("| `resilience.pipeline`, `resilience.attempt`, ", "| `resilience.pipeline`, ", "The span attempt has the attribute resilience.attempt,*"),
            ("`resilience.attempts`, `error.type`, `http.request.method`", "`resilience.attempts`, `error.type`, `resilience.planted`, `http.request.method`",
                "The span resilience should have the attribute resilience.planted*"),
            (RowOf("resilience.retry.stopped", "resilience.explanation"), "", "The span event resilience.retry.stopped has no row*"),
        ];
        foreach ((string was, string becomes, string complaint) in planted)
        {
            string text = TelemetryTable.Text.Replace(was, becomes, StringComparison.Ordinal);
            text.Should().NotBe(TelemetryTable.Text, "'{0}' must be there to be planted in", was);
            heard.Differences(TelemetryTable.Read(text)).Where(d => Like(d, complaint)).Should().NotBeEmpty("{0} was planted", complaint);
        }

        static bool Like(string text, string pattern) => System.Text.RegularExpressions.Regex.IsMatch(
            text, "^" + System.Text.RegularExpressions.Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal) + "$");
    }

    private static string RowOf(string name, string with = "") =>
        TelemetryTable.Text.Split('\n')
            .Single(l => l.StartsWith($"| `{name}` |", StringComparison.Ordinal) && l.Contains(with, StringComparison.Ordinal)) + "\n";

    [Fact]
    public async Task Attempts_are_spans_below_the_span_of_their_call_and_requests_are_below_their_attempt()
    {
        Heard heard = await ListenAsync();
        Activity call = heard.Spans.Single(s => s.OperationName == "retries");
        Activity[] attempts = [.. heard.Spans.Where(s => s.ParentSpanId == call.SpanId)];
        attempts.Select(a => a.OperationName).Should().Equal("attempt", "attempt");
        attempts.Select(a => a.GetTagItem("resilience.attempt")).Should().Equal(0, 1);
        attempts.Should().OnlyContain(a => a.TraceId == call.TraceId && a.Status == ActivityStatusCode.Error
            && Equals(a.GetTagItem("error.type"), typeof(IOException).FullName));
        Activity request = heard.Spans.Single(s => s.OperationName.StartsWith("shop/", StringComparison.Ordinal));
        request.GetTagItem("server.address").Should().Be("api.example.test", "what a call asks stands on its own span, not on the attempt's");
        heard.Spans.Where(s => s.ParentSpanId == request.SpanId).Select(a => a.GetTagItem("resilience.verdict")).Should().Equal("failure", "success");
        Activity rejected = heard.Spans.Where(s => s.OperationName == "limits").SelectMany(s => s.Events.Select(e => (Span: s, Event: e)))
            .Single(e => e.Event.Name == "resilience.rejected").Span;
        KeyValuePair<string, object?>[] why = [.. rejected.Events.Single().Tags];
        why.Should().Contain(new KeyValuePair<string, object?>("resilience.reason", "queue_full"));
        why.Single(t => t.Key == "resilience.explanation").Value.Should().BeOfType<string>().Which.Should().Contain("concurrency-limit")
            .And.EndWith(".", "it is the sentence of the rejection");
        heard.Spans.Should().NotContain(s => s.ParentSpanId == rejected.SpanId, "a call that is rejected makes no attempt");
    }

    /// <summary>The lines of the log as they are in the code: of an event the one with all its parts, and its levels.</summary>
    private static async Task<LogRow[]> LogLinesAsync() =>
    [
        .. typeof(ResilienceLog).GetMethods(BindingFlags.Static | BindingFlags.NonPublic).Select(m => m.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>()
            .Select(a => new LogRow(a.EventId, [a.Level.ToString()], a.EventName!, a.Message))
            .Concat((await EventSamples.AllAsync()).GroupBy(e => e.GetType()).Select(g => new LogRow(
                g.First().GetEventId(), [.. g.Select(e => e.GetLevel()).Distinct().Order().Select(l => l.ToString())], g.Key.Name, $"{Where(g.First())}: {g.First().GetMessage().Template}")))
            .OrderBy(r => r.Id),
    ];

    private static string Where(ResilienceEvent happened) => happened.PipelineName.Length > 0 ? "{Pipeline}/{Policy}" : "{Policy}";

    private static List<string> Differences(LogRow[] code, IReadOnlyList<LogRow> table)
    {
        List<string> found = [];
        found.AddRange(code.Where(c => table.All(t => t.Id != c.Id))
            .Select(c => $"The line {c.Id} {c.Name} has no row under Logs in {TelemetryTable.Document}: add one."));
        found.AddRange(table.Where(t => t.Id != EventLog.OfOthers.Id && code.All(c => c.Id != t.Id))
            .Select(t => $"The table has the line {t.Id}, and the code does not."));
        foreach (LogRow row in table.Where(r => r.Id != EventLog.OfOthers.Id))
        {
            if (code.FirstOrDefault(c => c.Id == row.Id) is not { } line) continue;
            if (line.Name != row.Name || line.Text != row.Text)
                found.Add($"The line {row.Id} is {line.Name} '{line.Text}', the table says {row.Name} '{row.Text}'.");
            if (line.Levels.Count > 0 && !line.Levels.SequenceEqual(row.Levels))
                found.Add($"The line {row.Id} has the level {line.Levels[0]}, the table says {string.Join(", ", row.Levels)}.");
        }

        return found;
    }

    [Fact]
    public async Task Lines_of_the_log_are_those_of_the_table_and_planted_differences_are_found()
    {
        LogRow[] code = await LogLinesAsync();
        code.Select(l => l.Id).Should().OnlyHaveUniqueItems().And.HaveCountGreaterThan(15);
        Differences(code, TelemetryTable.Read(TelemetryTable.Text).Logs).Should().BeEmpty();
        Planted("| 9 | Debug", "| 99 | Debug").Should().HaveCount(2);
        Planted("| 7 | Error", "| 7 | Warning").Should().ContainSingle().Which.Should().Contain("the level Error");
        Planted("`LimitReached`", "`LimitHit`").Should().ContainSingle().Which.Should().Contain("LimitHit");
        Planted("fallback failed", "fallback fell").Should().ContainSingle().Which.Should().Contain("fell");

        List<string> Planted(string was, string becomes) =>
            Differences(code, TelemetryTable.Read(TelemetryTable.Text.Replace(was, becomes, StringComparison.Ordinal)).Logs);
    }
}
