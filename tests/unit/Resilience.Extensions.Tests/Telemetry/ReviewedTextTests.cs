using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Resilience.Tests.Telemetry;

/// <summary>Every line that the library logs, as an operator reads it, stands in a file that is reviewed: once with all its parts, and once for each part
/// that can be missing.</summary>
public sealed partial class ReviewedTextTests
{
    private const string File = "docs/log-lines.txt";

    /// <summary>What else an event is told as.</summary>
    private const string Reports = "docs/event-reports.txt";

    private static async Task<string[]> WrittenAsync()
    {
        ReviewedLines lines = new();
        EventLog log = new(lines);
        foreach (ResilienceEvent sample in await EventSamples.AllAsync()) log.Write(sample);
        ResilienceLog.ReloadApplied(lines, "orders", "Resilience:Pipelines:orders");
        ResilienceLog.ReloadRejected(lines, null, "orders", "Resilience:Pipelines:orders", "Retry.MaxRetries is -5: 0 or more, or RetryOptions.Unlimited (-1)");
        ResilienceLog.PipelineWarning(lines, "orders", "RES002", "Timeout > CircuitBreaker > Retry: the circuit breaker stands outside the retry.");
        ResilienceLog.ClientTimeoutTooShort(lines, "shop", SpanText.Of(TimeSpan.FromSeconds(10)), SpanText.Of(TimeSpan.FromMinutes(2)));
        ResilienceLog.RedirectsNotGuarded(lines, "shop");
        ResilienceLog.KeysOfOneCallDiffer(lines, "shop");
        ResilienceLog.GrpcPassesThrough(lines, "shop");
        ResilienceLog.RetriesAreStacked(lines, "shop", "the AWS SDK");
        ResilienceLog.StoreFinding(lines, "orders", "Redis evicts keys (maxmemory-policy allkeys-lru). Set it to noeviction.");
        ResilienceLog.StoreUnavailableAtStart(lines, new IOException(), "orders");
        return lines.All;
    }

    [Fact]
    public async Task Every_line_of_the_log_is_reviewed() => Review(File, await WrittenAsync());

    [Fact]
    public async Task Every_counter_span_event_and_entry_of_the_live_page_is_reviewed() => Review(Reports, (await EventSamples.AllAsync()).Select(Report));

    /// <summary>The counter and its tags, the event on the span and its values, the entry on the live page.</summary>
    private static string Report(ResilienceEvent happened)
    {
        string counter = happened.GetMetric() is { } metric ? $"{metric.Name} {Tags(happened.MetricTags())}" : "not counted";
        string span = happened.GetSpanEventName() is { } name ? $"{name} {Tags(happened.SpanTags())}" : "not on the span";
        string page = happened.GetNewState() is { } state ? $"[{state}] {happened.GetSummary(withKeys: false)}"
            : happened.GetGroup() is { } group ? $"[{group.Name}{(group.IsRejection ? ", rejection" : "")}] {happened.GetSummary(withKeys: false)}"
            : "not on the live page";
        return $"{happened.GetType().Name}\n    {counter}\n    {span}\n    {page}";
    }

    private static string Tags(IEnumerable<KeyValuePair<string, object?>> tags) =>
        string.Join(" ", tags.Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Key["resilience.".Length..]}={t.Value}")));

    private static void Review(string file, IEnumerable<string> lines)
    {
        string path = Path.Combine(Repository.Root, file), written = string.Join("\n", lines.Select(l => l.TrimEnd()).Distinct()) + "\n";
        if (Environment.GetEnvironmentVariable("RESILIENCE_ACCEPT_API") == "1") System.IO.File.WriteAllText(path, written);
        System.IO.File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(
            written, "a line has changed: read it, and accept it by running this test with RESILIENCE_ACCEPT_API=1");
    }

    /// <summary>Two blanks, a blank before a comma, an empty pair of brackets or quotes: a part is missing and its surroundings are still there.</summary>
    [GeneratedRegex(@"\S  (?!\[)|\s[,;:.)]|\(\s*\)|''|\{\w+\}|[,:;]$|/:|: /|default\(|\bnull\b|\.\.")]
    private static partial Regex Gap();

    [Fact]
    public async Task No_line_has_a_gap_where_a_part_is_missing()
    {
        (await WrittenAsync()).Where(l => Gap().IsMatch(l[l.IndexOf(": ", StringComparison.Ordinal)..].TrimEnd())).Should().BeEmpty();
        foreach (string planted in (string[])
            ["circuit  went from HalfOpen to Closed, break , cause 6 calls", "call rejected ()", "circuit '' opened", "/retry: attempt", "record {Id} is", "failed:", "call rejected: none.."])
        {
            Gap().IsMatch(": " + planted).Should().BeTrue(planted);
        }
    }

    [Fact]
    public async Task There_is_a_line_for_each_event_each_method_and_each_missing_part()
    {
        IReadOnlyList<ResilienceEvent> samples = await EventSamples.AllAsync();
        Missing(samples).Should().BeEmpty();
        Missing([.. samples.Where(s => s is not HedgeWon)]).Should().Equal("HedgeWon");
        Missing([.. samples.Where(s => s is not FallbackUsed { Age: null })]).Should().Equal("FallbackUsed without Age");
        string[] written = await WrittenAsync();
        typeof(ResilienceLog).GetMethods(BindingFlags.Static | BindingFlags.NonPublic).Select(m => m.GetCustomAttribute<LoggerMessageAttribute>())
            .OfType<LoggerMessageAttribute>().Where(m => !written.Any(l => l.Contains($" {m.EventName}:", StringComparison.Ordinal))).Should().BeEmpty();
    }

    [Fact]
    public async Task There_is_a_line_for_each_member_of_each_enum_and_each_change_from_one_to_another()
    {
        IReadOnlyList<ResilienceEvent> samples = await EventSamples.AllAsync();
        EventMembers.Unseen(samples).Should().BeEmpty();
        EventMembers.Superfluous(samples).Should().BeEmpty("what comes after all needs no reason why it cannot");
        EventMembers.Unseen([.. samples.Where(s => s is not RetryStopped { Cause: RetryStopReason.Marked })]).Should().Equal("RetryStopped.Cause Marked");
        EventMembers.Unseen([.. samples.Where(s => s is not CircuitChanged { From: CircuitState.HalfOpen, To: CircuitState.Open })])
            .Should().BeEquivalentTo("CircuitChanged.Cause.Rule ProbeFailed", "CircuitChanged HalfOpen > Open");
        EventMembers.Unseen([.. samples.Where(s => s is not IdempotencyRejected { Rejection.Why: IdempotencyRejectionReason.Stopping })])
            .Should().Equal("IdempotencyRejected.Rejection.Why Stopping");
    }

    private static IEnumerable<string> Missing(IReadOnlyList<ResilienceEvent> samples)
    {
        NullabilityInfoContext context = new();
        foreach (Type type in EventLogTests.Ours())
        {
            ResilienceEvent[] own = [.. samples.Where(s => s.GetType() == type)];
            if (own.Length == 0) yield return type.Name;
            foreach (PropertyInfo part in own.Length == 0 ? [] : type.GetProperties().Where(p => p.DeclaringType == type && p.Name != "Fault" && IsOptional(p)))
            {
                if (own.All(s => part.GetValue(s) is not null)) yield return $"{type.Name} without {part.Name}";
                if (own.All(s => part.GetValue(s) is null)) yield return $"{type.Name} with {part.Name}";
            }
        }

        bool IsOptional(PropertyInfo property) =>
            Nullable.GetUnderlyingType(property.PropertyType) is not null || context.Create(property).ReadState == NullabilityState.Nullable;
    }
}
