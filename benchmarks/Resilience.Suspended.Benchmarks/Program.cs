using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Resilience.Benchmarks;
using Resilience.Http.Benchmarks;
using Resilience.Suspended.Benchmarks;

// What calls cost that really suspend, beside the bare call and the rivals, in one run and in processor time, on one core. Calls that complete at once
// have a process of their own: the compiler fits code to what it has seen, and they would be measured on code made for those that suspend.
// With an argument: only the rows whose name contains it (or, after a "!", does not), in this process, and no report is written.
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
const int Rounds = 15;
if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows()) Process.GetCurrentProcess().ProcessorAffinity = 1;
Row[] rows = [.. Rows.All().Concat(HttpRows.All())];
if (args.Length > 0)
{
    bool isWanted = !args[0].StartsWith('!');
    Row[] wanted = [.. rows.Where(r => r.Name.Contains(args[0].TrimStart('!'), StringComparison.OrdinalIgnoreCase) == isWanted)];
    if (wanted.Length > 0) await Measurement.OfAsync(wanted[0], Rounds); // does not count: a process that has just begun is slower
    foreach (Row row in wanted) Console.WriteLine(await Measurement.OfAsync(row, Rounds));
    return;
}

StringBuilder text = new();
text.AppendLine("# What a call costs, above all one that suspends").AppendLine()
    .AppendLine($"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Suspended.Benchmarks`: Resilience beside Polly.Core 8.9.1 (HTTP: Microsoft.Extensions.Http.Resilience 10.11.0) and the bare delegate, taking turns on one core; the rows \"at once\" in a process of their own.")
    .AppendLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {RuntimeInformation.OSDescription.Split(' ')[0]}. Nanoseconds of processor time for a call, the collector's included; medians of {Rounds} rounds, over the bare call of the same round (in brackets the middle half). A virtual machine that others share: read the ratios.")
    .AppendLine()
    .AppendLine("| what | bare | ours adds | theirs adds | theirs / ours | bare, bytes | ours adds | theirs adds |")
        .AppendLine("|---|---|---|---|---|---|---|---|");
foreach (string group in new[] { "!at once", "at once" })
{
    using Process measuring = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, [group]) { RedirectStandardOutput = true })!;
    string lines = (await measuring.StandardOutput.ReadToEndAsync()).TrimEnd();
    await measuring.WaitForExitAsync();
    text.AppendLine(lines);
    Console.WriteLine(lines);
}

string results = ResultsFolder.Path;
File.WriteAllText(Path.Combine(results, "suspended.md"), text.ToString());
File.WriteAllText(Path.Combine(results, $"{DateTime.UtcNow:yyyy-MM-dd}-suspended.md"), text.ToString());
