using System.Diagnostics;
using System.Text.Json;
using OpenTelemetry;

namespace Resilience.ObservabilitySample;

/// <summary>One span as a line of JSON.</summary>
internal sealed record Span(
    string Service, string Trace, string Id, string? Parent, string Name, DateTime Start, double Milliseconds, bool IsError,
    Dictionary<string, string> Tags, List<SpanEvent> Events);

internal sealed record SpanEvent(string Name, DateTime At, Dictionary<string, string> Tags);

/// <summary>Writes each finished span into a file, so that the story can show a trace without a collector.</summary>
internal sealed class SpanFile(string service, string folder) : BaseExporter<Activity>
{
    private readonly Lock _gate = new();

    internal static string PathOf(string service, string folder) => Path.Combine(folder, $"{service}.spans.jsonl");

    public override ExportResult Export(in Batch<Activity> batch)
    {
        lock (_gate)
        {
            using StreamWriter file = new(new FileStream(PathOf(service, folder), FileMode.Append, FileAccess.Write, FileShare.ReadWrite));
            foreach (Activity ended in batch) file.WriteLine(JsonSerializer.Serialize(ToSpan(ended)));
        }

        return ExportResult.Success;
    }

    /// <summary>What was written so far; a line that is just being written is left for the next look.</summary>
    internal static IEnumerable<Span> Read(string service, string folder)
    {
        if (!File.Exists(PathOf(service, folder))) return [];
        using StreamReader file = new(new FileStream(PathOf(service, folder), FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        string text = file.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Deserialize<Span>(l)!)];
    }

    private Span ToSpan(Activity ended) => new(
        service, ended.TraceId.ToHexString(), ended.SpanId.ToHexString(), ended.ParentSpanId == default ? null : ended.ParentSpanId.ToHexString(),
        ended.DisplayName, ended.StartTimeUtc, ended.Duration.TotalMilliseconds, ended.Status == ActivityStatusCode.Error,
        Texts(ended.TagObjects), [.. ended.Events.Select(e => new SpanEvent(e.Name, e.Timestamp.UtcDateTime, Texts(e.Tags)))]);

    private static Dictionary<string, string> Texts(IEnumerable<KeyValuePair<string, object?>> tags)
    {
        Dictionary<string, string> texts = [];
        foreach ((string name, object? value) in tags) texts[name] = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value}");
        return texts;
    }
}
