using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using Resilience.Http.Benchmarks;

// Without arguments: the comparison, and benchmarks/results/http.md. With BenchmarkDotNet's arguments: as they say.
Type[] questions = [typeof(Cost_of_a_request_in_memory), typeof(Cost_of_a_request_over_loopback)];
if (args.Length > 0)
{
    BenchmarkSwitcher.FromTypes(questions).Run(args);
    return;
}

IConfig config = DefaultConfig.Instance
    .AddJob(Job.Default.WithWarmupCount(5).WithIterationCount(10).WithIterationTime(Perfolizer.Horology.TimeInterval.FromMilliseconds(250)))
    .WithOptions(ConfigOptions.DisableLogFile);
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
StringBuilder text = new();
text.AppendLine("# What the HTTP handlers add to a request").AppendLine()
    .AppendLine(CultureInfo.InvariantCulture, $"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Http.Benchmarks`: `AddStandardResilience` beside `AddStandardResilienceHandler` of Microsoft.Extensions.Http.Resilience 10.11.0 (with Polly.Core 8.9.1) and a bare client, in one run, each case in a process of its own.")
    .AppendLine(CultureInfo.InvariantCulture, $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription.Split(' ')[0]}. A virtual machine: read the shares, not the nanoseconds.")
    .AppendLine()
    .AppendLine("*Added* is the mean less that of the bare client. The aim: a quarter of what theirs adds in time, half of it in bytes.").AppendLine()
    .AppendLine("| what | bare | theirs adds | ours adds | share | bare, bytes | theirs adds | ours adds | share |").AppendLine("|---|---|---|---|---|---|---|---|---|");
foreach (Summary summary in questions.Select(q => BenchmarkRunner.Run(q, config)))
{
    foreach (IGrouping<string, BenchmarkReport> group in summary.Reports.Where(r => r.ResultStatistics is not null).GroupBy(r => r.BenchmarkCase.Descriptor.Categories[0]))
    {
        (double Time, double Bytes) bare = Of(group, "_Bare"), theirs = Of(group, "_Microsoft"), ours = Of(group, "");
        text.AppendLine(CultureInfo.InvariantCulture, $"| {group.Key} | {bare.Time / 1000:0.00} µs | {(theirs.Time - bare.Time) / 1000:0.00} µs | {(ours.Time - bare.Time) / 1000:0.00} µs | {(ours.Time - bare.Time) / (theirs.Time - bare.Time):0.00} | {bare.Bytes:#,0} | {theirs.Bytes - bare.Bytes:#,0} | {ours.Bytes - bare.Bytes:#,0} | {(ours.Bytes - bare.Bytes) / (theirs.Bytes - bare.Bytes):0.00} |");
    }
}

DirectoryInfo? folder = new(AppContext.BaseDirectory);
while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Resilience.sln"))) folder = folder.Parent;
string results = Path.Combine(folder?.FullName ?? ".", "benchmarks", "results");
File.WriteAllText(Path.Combine(results, "http.md"), text.ToString());
File.WriteAllText(Path.Combine(results, $"{DateTime.UtcNow:yyyy-MM-dd}-http.md"), text.ToString());
Console.WriteLine(text.ToString());

static (double Time, double Bytes) Of(IEnumerable<BenchmarkReport> group, string suffix)
{
    BenchmarkReport report = group.First(r => suffix.Length == 0
        ? !r.BenchmarkCase.Descriptor.WorkloadMethod.Name.Contains('_', StringComparison.Ordinal)
        : r.BenchmarkCase.Descriptor.WorkloadMethod.Name.EndsWith(suffix, StringComparison.Ordinal));
    return (report.ResultStatistics!.Mean, report.Metrics.TryGetValue("Allocated Memory", out Metric? memory) ? memory.Value : 0);
}
