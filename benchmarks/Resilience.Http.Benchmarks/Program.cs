using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using BenchmarkDotNet.Running;
using Resilience.Benchmarks;
using Resilience.Http.Benchmarks;

// With BenchmarkDotNet's arguments: as they say, each case in a process of its own. Without: the comparison for the report. There the
// three clients take turns in one process, round by round, because what we want is a difference of microseconds on a machine that is
// slower by a third from one minute to the next; the median of the differences of each round is what is left when it has been so for all three.
if (args is ["grpc"])
{
    string report = GrpcCalls.Report();
    File.WriteAllText(Path.Combine(ResultsFolder.Path, "grpc.md"), report);
    Console.WriteLine(report);
    return;
}

if (args.Length > 0)
{
    BenchmarkSwitcher.FromTypes([typeof(Cost_of_a_request_in_memory), typeof(Cost_of_a_request_over_loopback)]).Run(args);
    return;
}

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
Cost_of_a_request_in_memory memory = new();
Cost_of_a_request_over_loopback loopback = new();
await loopback.StartAsync();
StringBuilder text = new();
text.AppendLine("# What the HTTP handlers add to a request").AppendLine()
    .AppendLine($"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Http.Benchmarks`: `AddStandardResilience` beside `AddStandardResilienceHandler` of Microsoft.Extensions.Http.Resilience 10.11.0 (with Polly.Core 8.9.1) and a bare client, taking turns in one process.")
    .AppendLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors, {RuntimeInformation.OSDescription.Split(' ')[0]}. A virtual machine that others share: read the shares, not the nanoseconds.")
    .AppendLine()
    .AppendLine("*Adds* is the median, over the rounds, of the time above the bare client's in the same round, with the middle half of the rounds in brackets. The aim: a quarter of what theirs adds in time, half of it in bytes.").AppendLine()
    .AppendLine("| what | bare | theirs adds | ours adds | share | bare, bytes | theirs adds | ours adds | share |")
        .AppendLine("|---|---|---|---|---|---|---|---|---|");
await RowAsync("GET, answered at once", memory.AtOnce_Bare, memory.AtOnce_Microsoft, memory.AtOnce);
await RowAsync("GET, answered later", memory.Later_Bare, memory.Later_Microsoft, memory.Later);
await RowAsync("PUT, 256 bytes, four headers, answered later", memory.Put_Bare, memory.Put_Microsoft, memory.Put);
await RowAsync("GET, 503 first, then 200 (bare: two requests)", memory.Retried_Bare, memory.Retried_Microsoft, memory.Retried);
await RowAsync("GET over loopback, HTTP/1.1", loopback.Loopback_Bare, loopback.Loopback_Microsoft, loopback.Loopback);
await loopback.StopAsync();

string results = ResultsFolder.Path;
File.WriteAllText(Path.Combine(results, "http.md"), text.ToString());
File.WriteAllText(Path.Combine(results, $"{DateTime.UtcNow:yyyy-MM-dd}-http.md"), text.ToString());
Console.WriteLine(text.ToString());

async Task RowAsync(string what, params Func<Task>[] three)
{
    const int WarmUp = 30, Rounds = 81, Calls = Cost_of_a_request_in_memory.Calls;
    for (int i = 0; i < WarmUp; i++)
    {
        foreach (Func<Task> one in three) await one();
    }

    double[][] microseconds = [new double[Rounds], new double[Rounds], new double[Rounds]];
    double[] bytes = new double[3];
    for (int round = 0; round < Rounds; round++)
    {
        for (int turn = 0; turn < 3; turn++)
        {
            int who = (turn + round) % 3;
            long before = GC.GetTotalAllocatedBytes(precise: true), start = Stopwatch.GetTimestamp();
            await three[who]();
            microseconds[who][round] = Stopwatch.GetElapsedTime(start).TotalMicroseconds / Calls;
            bytes[who] += (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Calls / Rounds;
        }
    }

    double bare = Quantile(microseconds[0], 0.5);
    (double theirs, string theirsText) = Added(1);
    (double ours, string oursText) = Added(2);
    text.AppendLine($"| {what} | {bare:0.00} µs | {theirsText} | {oursText} | {ours / theirs:0.00} | {bytes[0]:#,0} | {bytes[1] - bytes[0]:#,0} | {bytes[2] - bytes[0]:#,0} | {(bytes[2] - bytes[0]) / (bytes[1] - bytes[0]):0.00} |");

    (double, string) Added(int who)
    {
        double[] added = [.. microseconds[who].Zip(microseconds[0], (one, other) => one - other)];
        return (Quantile(added, 0.5), $"{Quantile(added, 0.5):0.00} µs ({Quantile(added, 0.25):0.00}–{Quantile(added, 0.75):0.00})");
    }
}

static double Quantile(double[] values, double part)
{
    double[] sorted = [.. values.Order()];
    return sorted[(int)(part * (sorted.Length - 1))];
}
