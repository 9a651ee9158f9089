using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Resilience.Benchmarks;

/// <summary>Writes what was measured to benchmarks/results: a dated file, and the same as README.md for documents to link to.</summary>
internal static class Report
{
    /// <summary>The aims of the design: at least so many times faster than Polly, at most so many bytes.</summary>
    private static readonly Dictionary<string, (double Times, double? Bytes)> Aims = new()
    {
        ["empty"] = (3, 0),
        ["empty, string"] = (3, 0),
        ["retry"] = (6, 0),
        ["closed breaker"] = (6, 0),
        ["timeout"] = (3, 0),
        ["timeout > retry > breaker > timeout"] = (5, 0),
        ["open circuit, as data"] = (10, 0),
        ["open circuit, thrown and caught"] = (2, null),
    };

    internal static void Write(IReadOnlyList<Summary> summaries)
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        StringBuilder text = new();
        text.AppendLine("# Benchmarks").AppendLine()
            .AppendLine(CultureInfo.InvariantCulture, $"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Benchmarks`, Polly.Core {PollyVersion()} in the same run, each case in a process of its own.")
            .AppendLine(CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors ({Processor()}), {RuntimeInformation.OSDescription.Split(' ')[0]}. A virtual machine: read the ratios, not the nanoseconds.")
            .AppendLine()
            .AppendLine("`times faster` is Polly's mean divided by ours; for calls that suspend, the bare delegate is subtracted from both first. [What was tried](../README.md) where an aim is missed.").AppendLine();
        AppendTables(text, summaries);
        string folder = FindResults();
        File.WriteAllText(Path.Combine(folder, "README.md"), text.ToString());
        File.WriteAllText(Path.Combine(folder, $"{DateTime.UtcNow:yyyy-MM-dd}.md"), text.ToString());
        Console.WriteLine(text.ToString());
    }

    private sealed record Row(string Category, string Parameters, string Method, double Mean, double Error, double? Bytes);

    private static IEnumerable<Row> RowsOf(Summary summary) => summary.Reports.Where(r => r.Success && r.ResultStatistics is not null).Select(r => new Row(
        r.BenchmarkCase.Descriptor.Categories.FirstOrDefault() ?? "",
        r.BenchmarkCase.Parameters.DisplayInfo.Trim('[', ']'),
        r.BenchmarkCase.Descriptor.WorkloadMethod.Name,
        r.ResultStatistics!.Mean,
        r.ResultStatistics.StandardDeviation,
        r.Metrics.TryGetValue("Allocated Memory", out Metric? memory) ? memory.Value : null));

    private static void AppendTables(StringBuilder text, IReadOnlyList<Summary> summaries)
    {
        List<string> missed = [];
        foreach (Summary summary in summaries)
        {
            text.Append("## ").AppendLine(summary.BenchmarksCases[0].Descriptor.Type.Name.Replace('_', ' ')).AppendLine()
                .AppendLine("| what | Polly 8.9.1 | Resilience | times faster | aim | Polly, bytes | ours, bytes |")
                    .AppendLine("|---|---|---|---|---|---|---|");
            foreach (IGrouping<(string, string), Row> group in RowsOf(summary).GroupBy(r => (r.Category, r.Parameters)))
            {
                Row? theirs = group.FirstOrDefault(r => r.Method.EndsWith("_Polly", StringComparison.Ordinal));
                double bare = group.FirstOrDefault(r => r.Method == "Bare")?.Mean ?? 0, bareBytes = group.FirstOrDefault(r => r.Method == "Bare")?.Bytes ?? 0;
                foreach (Row ours in group.Where(r => r != theirs && r.Method != "Bare"))
                {
                    double? times = theirs is null ? null : (theirs.Mean - bare) / (ours.Mean - bare);
                    bool hasAim = Aims.TryGetValue(ours.Category, out (double Times, double? Bytes) aim);
                    if (ours.Category == "standard chain, suspends" && ours.Parameters.EndsWith("=1", StringComparison.Ordinal))
                        (hasAim, aim) = (true, (4, 200 + bareBytes));
                    if (hasAim && (times < aim.Times || ours.Bytes > aim.Bytes)) missed.Add($"{ours.Category}: {times:0.0} times faster, aimed at {aim.Times}; {ours.Bytes:0} bytes{(aim.Bytes is { } b ? $", aimed at {b:0}" : "")}.");
                    text.AppendLine(CultureInfo.InvariantCulture, $"| {ours.Category}{(ours.Parameters.Length > 0 ? $" ({ours.Parameters})" : "")} | {Show(theirs?.Mean)} | {Show(ours.Mean)} ± {Show(ours.Error)} | {(times is { } t ? $"{t:0.0}" : "-")} | {(hasAim ? $"{aim.Times}" : "-")} | {theirs?.Bytes?.ToString("#,0") ?? "-"} | {ours.Bytes?.ToString("#,0") ?? "-"} |");
                }

                if (bare > 0)
                    text.AppendLine(CultureInfo.InvariantCulture, $"| bare delegate ({group.Key.Item2}) | - | {Show(bare)} | - | - | - | {bareBytes:#,0} |");
            }

            text.AppendLine();
        }

        text.AppendLine("## Aims that this run missed").AppendLine();
        text.AppendLine(missed.Count == 0 ? "None." : string.Join('\n', missed.Select(m => $"- {m}")));
    }

    private static string Show(double? nanoseconds) => nanoseconds switch
    {
        null => "-",
        < 10_000 and { } ns => $"{ns:0.0} ns",
        < 10_000_000 and { } ns => $"{ns / 1000:0.0} µs",
        { } ns => $"{ns / 1_000_000:0.0} ms",
    };

    /// <summary>Polly's assembly version stays at its major version; the package's is in the attribute.</summary>
    private static string PollyVersion() => typeof(Polly.ResiliencePipeline).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown"
        : RuntimeInformation.ProcessArchitecture.ToString();

    internal static string FindResults() => Directory.CreateDirectory(ResultsFolder.Path).FullName;
}
