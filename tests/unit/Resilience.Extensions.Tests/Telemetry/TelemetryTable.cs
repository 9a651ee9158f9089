using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Resilience.Tests.Telemetry;

/// <summary>An attribute of a row, with its values if they are listed.</summary>
internal sealed record Attribute(string Name, IReadOnlySet<string> Values);

/// <summary>A row about an instrument, a span or an event. Kind and unit are empty where there are none.</summary>
internal sealed record Row(string Name, string Kind, string Unit, IReadOnlyList<Attribute> Attributes);

/// <summary>A row about a line of the log.</summary>
internal sealed record LogRow(int Id, IReadOnlyList<string> Levels, string Name, string Text);

/// <summary>What docs/telemetry.md says, read from its tables.</summary>
internal sealed partial class TelemetryTable
{
    internal const string Document = "docs/telemetry.md";

    internal required IReadOnlyList<Row> Instruments { get; init; }

    internal required IReadOnlyList<Row> Spans { get; init; }

    internal required IReadOnlyList<Row> Events { get; init; }

    internal required IReadOnlyList<LogRow> Logs { get; init; }

    internal static string Text => File.ReadAllText(Path.Combine(Repository.Root, Document));

    internal static TelemetryTable Read(string text) => new()
    {
        Instruments = [.. Rows(text, "## Metrics").Select(c => new Row(Code(c[0]), c[1], Code(c[2]), Attributes(c[3])))],
        Spans = [.. Rows(text, "## Spans").Select(c => new Row(Code(c[0]), "", "", Attributes(c[1])))],
        Events = [.. Rows(text, "## Span events").Select(c => new Row(Code(c[0]), "", "", Attributes(c[1])))],
        Logs = [.. Rows(text, "## Logs")
            .Select(c => new LogRow(int.Parse(c[0], System.Globalization.CultureInfo.InvariantCulture), c[1].Split(", "), Code(c[2]), Code(c[3])))],
    };

    /// <summary>The cells of the rows of the table below a heading, without its head.</summary>
    private static IEnumerable<string[]> Rows(string text, string heading) => text.Split('\n')
        .SkipWhile(l => l != heading).Skip(1).TakeWhile(l => !l.StartsWith("## ", StringComparison.Ordinal))
        .Where(l => l.StartsWith('|')).Skip(2)
        .Select(l => l.Trim('|').Split(" | ").Select(c => c.Trim()).ToArray());

    private static string Code(string cell) =>
        CodeSpan().Match(cell) is { Success: true } code ? code.Groups[1].Value : throw new FormatException($"No code in '{cell}'.");

    private static Attribute[] Attributes(string cell) => [.. cell.Split(", ").Select(a => CodeSpan().Matches(a).Select(m => m.Groups[1].Value).ToArray())
        .Select(names => new Attribute(names[0], names.Skip(1).ToHashSet()))];

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex CodeSpan();
}
