using System.Collections;
using System.Text;

namespace Resilience.Transports;

/// <summary>What the codes of a transport mean, as data: the rows by which outcomes are judged, and from which the documents are made. Immutable and
/// thread-safe.</summary>
public sealed class TransportTable : IReadOnlyList<TransportRow>
{
    private readonly TransportRow[] _rows;

    internal TransportTable(string name, params TransportRow[][] groups)
    {
        Name = name;
        _rows = [.. groups.SelectMany(g => g)];
    }

    internal static Classification NotCounted { get; } = new(Verdict.Failure) { Counts = false };

    /// <summary>The rows by their code, those apart that are for a condition only.</summary>
    internal Dictionary<string, TransportRow> ByCode() => _rows.Where(r => r.When.Length == 0).ToDictionary(r => r.Code);

    /// <summary>What it is a table of: <c>gRPC</c>.</summary>
    public string Name { get; }

    /// <summary>The number of rows.</summary>
    public int Count => _rows.Length;

    /// <summary>A row.</summary>
    /// <exception cref="IndexOutOfRangeException">There is none of this number.</exception>
    public TransportRow this[int index] => _rows[index];

    /// <inheritdoc/>
    public IEnumerator<TransportRow> GetEnumerator() => ((IEnumerable<TransportRow>)_rows).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The table as text in Markdown; codes of which the same is said share a line.</summary>
    public override string ToString()
    {
        StringBuilder text = new("| code | verdict | repeat | count | remark |\n|---|---|---|---|---|\n");
        for (int from = 0, to; from < _rows.Length; from = to)
        {
            for (to = from + 1; to < _rows.Length && SaysTheSame(_rows[from], _rows[to]);) to++;
            Write(text, _rows.AsSpan(from..to));
        }

        return text.ToString();
    }

    private static bool SaysTheSame(TransportRow one, TransportRow other) => one with { Code = "", Name = "" } == other with { Code = "", Name = "" };

    private static void Write(StringBuilder text, ReadOnlySpan<TransportRow> rows)
    {
        text.Append("| ");
        for (int i = 0; i < rows.Length; i++)
        {
            text.Append(i == 0 ? "" : ", ").Append(rows[i].Code);
            if (rows[i].Name.Length > 0) text.Append(' ').Append(rows[i].Name);
        }

        TransportRow row = rows[0];
        bool isFailure = row.Classification.Verdict == Verdict.Failure;
        if (row.When.Length > 0) text.Append(": ").Append(row.When);
        text.Append(" | `").Append(row.Classification.Verdict).Append("` | ").Append(isFailure ? RepeatOf(row.Repeat) : "");
        text.Append(" | ").Append(!isFailure ? "" : row.Counts ? "yes" : "no").Append(" | ").Append(row.Remark).Append(row.Remark.Length > 0 ? " |\n" : "|\n");
    }

    private static string RepeatOf(Repeatability repeat) => repeat switch
    {
        Repeatability.Always => "yes",
        Repeatability.IfSafe => "if safe",
        _ => "no",
    };
}
