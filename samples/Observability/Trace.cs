using System.Text;
using System.Text.Json;

namespace Resilience.ObservabilitySample;

/// <summary>One trace over both services, as a tree for people.</summary>
internal sealed class Trace(string id, string folder)
{
    private static readonly string[] Services = ["shop", "payments"];

    private readonly List<Span> _spans = [.. Services.SelectMany(s => SpanFile.Read(s, folder)).Where(s => s.Trace == id)];

    /// <summary>The lines of the logs of both services that carry the id of this trace.</summary>
    internal IReadOnlyList<string> LogLines { get; } =
        [.. Services.SelectMany(s => ServiceProcess.LogOf(s, folder)).Where(l => l.Contains(id, StringComparison.Ordinal))];

    internal IReadOnlyList<Span> Spans => _spans;

    /// <summary>True when the first span has ended: the others are inside it, but for what is cancelled and still on its way home.</summary>
    internal bool IsWhole => _spans.Any(s => s.Parent is null);

    public override string ToString()
    {
        StringBuilder text = new();
        foreach (Span root in _spans.Where(s => s.Parent is null)) Write(text, root, root.Start, 1);
        foreach (string line in LogLines) text.Append("   log  ").AppendLine(MessageOf(line));
        return text.ToString();
    }

    private void Write(StringBuilder text, Span span, DateTime start, int depth)
    {
        string indent = new(' ', 3 * depth);
        text.Append(indent).Append($"{(span.Start - start).TotalMilliseconds,5:0} ms  {span.Service}: {NameOf(span)}").Append(Facts(span));
        text.AppendLine(System.Globalization.CultureInfo.InvariantCulture, $"  [{span.Milliseconds:0} ms{(span.IsError ? ", error" : "")}]");
        foreach (SpanEvent happened in span.Events.Where(e => e.Name != "exception")) // its stack is in the file
            text.Append(indent).Append($"          · {happened.Name}").AppendLine(string.Concat(happened.Tags.Select(t => $" {Short(t.Key)}={t.Value}")));
        foreach (Span child in _spans.Where(s => s.Parent == span.Id).OrderBy(s => s.Start)) Write(text, child, start, depth + 1);
    }

    /// <summary>The framework's names of server spans say nothing about the request; its tags do.</summary>
    private static string NameOf(Span span) =>
        span.Tags.TryGetValue("url.path", out string? path) && span.Tags.TryGetValue("http.request.method", out string? method) ? $"{method} {path}"
        : span.Tags.TryGetValue("url.full", out string? url) ? $"{span.Name} {new Uri(url).AbsolutePath}"
        : span.Name == "Microsoft.AspNetCore.Hosting.HttpRequestIn" ? "a request comes in" : span.Name;

    private static string Facts(Span span) =>
        string.Concat(span.Tags.Where(t => IsShown(t.Key)).Select(t => $" {Short(t.Key)}={t.Value}"));

    private static bool IsShown(string tag) =>
        tag is "resilience.attempt" or "resilience.attempts" or "resilience.verdict" or "http.request.resend_count" or "http.response.status_code" or "error.type";

    private static string Short(string tag) => tag[(tag.LastIndexOf('.') + 1)..];

    private static string MessageOf(string line)
    {
        using JsonDocument json = JsonDocument.Parse(line);
        return $"{json.RootElement.GetProperty("LogLevel").GetString()}: {json.RootElement.GetProperty("Message").GetString()}";
    }
}
