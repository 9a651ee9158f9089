namespace Resilience.Idempotency.Benchmarks;

/// <summary>The table of aims: what a run measured of ours beside the bare call of the same run. Each part of the run adds its rows.</summary>
internal static class Aims
{
    private static readonly List<string> _rows = [];

    internal static void Add(string what, string measured, string bare, string aim) => _rows.Add($"| {what} | {measured} | {bare} | {aim} |");

    internal static void Write(TextWriter report)
    {
        if (_rows.Count == 0) return;
        report.WriteLine();
        report.WriteLine("## What was aimed at");
        report.WriteLine();
        report.WriteLine("| what | measured | beside the bare call of the same run | aim |");
        report.WriteLine("|---|---|---|---|");
        foreach (string row in _rows) report.WriteLine(row);
    }
}
