using System.Text.Json;

namespace Resilience.Experiments;

/// <summary>A figure of the reference: mean and standard deviation over twenty seeds.</summary>
internal readonly record struct Figure(double Mean, double Deviation)
{
    internal const int Seeds = 20;

    /// <summary>How far the mean of so many other seeds may be from it: a tenth (or a point, for shares), or what chance alone makes of means that vary so
    /// much.</summary>
    internal double Tolerance(int seeds, bool isShare) =>
        Math.Max(isShare ? 1 : 0.1 * Mean, 3 * Deviation * Math.Sqrt((1.0 / Seeds) + (1.0 / seeds)));
}

/// <summary>One row of the reference.</summary>
internal sealed record PeerRow(string Scenario, string Limit, Figure Goodput, Figure Rejected, Figure P50, Figure P99, Figure MeanLimit);

/// <summary>The table of peers as small simulators of others' making had it: what our world must come to. <c>peers.json</c> says how it was made.</summary>
internal static class Peers
{
    internal static IReadOnlyList<PeerRow> Rows { get; } = Read();

    private static List<PeerRow> Read()
    {
        using Stream stream = typeof(Peers).Assembly.GetManifestResourceStream("peers.json")!;
        using JsonDocument all = JsonDocument.Parse(stream);
        return [.. all.RootElement.GetProperty("rows").EnumerateArray().Select(row => new PeerRow(
            row.GetProperty("scenario").GetString()!, row.GetProperty("limit").GetString()!,
            Of(row, "goodput"), Of(row, "rejected"), Of(row, "p50"), Of(row, "p99"), Of(row, "meanLimit")))];
    }

    private static Figure Of(JsonElement row, string name) => new(row.GetProperty(name)[0].GetDouble(), row.GetProperty(name)[1].GetDouble());
}
