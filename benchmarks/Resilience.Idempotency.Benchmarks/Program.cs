using System.Globalization;
using System.Runtime.InteropServices;
using Resilience.Idempotency.Benchmarks;

// Measures the stores and writes benchmarks/results/idempotency.md. What is compared takes turns in one process, round by round, and the
// medians are reported. benchmarks/idempotency.sh starts the servers and calls this.
//   --postgresql <connection string>  --redis <configuration>  --output <file>  --million-only yes  --processor-only yes  --servers-only yes
CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
Dictionary<string, string> given = [];
for (int i = 0; i + 1 < args.Length; i += 2) given[args[i]] = args[i + 1]; // the last one counts
string output = given.GetValueOrDefault("--output", "idempotency.md");

using StreamWriter report = new(output) { AutoFlush = true };
report.WriteLine("# What idempotency costs");
report.WriteLine();
report.WriteLine(
    $"Made on {DateTime.Now:yyyy-MM-dd} by `benchmarks/idempotency.sh`. {RuntimeInformation.FrameworkDescription}, {RuntimeInformation.OSArchitecture}, "
    + $"{Environment.ProcessorCount} processors, Debian; SQLite by Microsoft.Data.Sqlite 10.0.15, PostgreSQL 15 by Npgsql 10.0.0, Redis 7.0 by StackExchange.Redis 3.4.35. A virtual machine that others share, and not a quiet one: read the ratios, not the nanoseconds.");
if (given.ContainsKey("--million-only"))
{
    await Million.RunAsync(report, given.GetValueOrDefault("--postgresql"), given.GetValueOrDefault("--redis"));
    return;
}

if (given.ContainsKey("--processor-only"))
{
    await Processor.RunAsync(report);
    return;
}

if (given.ContainsKey("--servers-only"))
{
    if (given.TryGetValue("--postgresql", out string? database))
    {
        await Postgres.ProcessorTimeAsync(report, database);
        await Postgres.RunAsync(report, database);
    }

    if (!given.TryGetValue("--redis", out string? cache)) return;
    await Redis.ServerTimeAsync(report, cache);
    await Redis.RunAsync(report, cache);
    return;
}

await Processor.RunAsync(report);
await InMemory.RunAsync(report);
await Sqlite.RunAsync(report);
if (given.TryGetValue("--postgresql", out string? postgresql))
{
    await Postgres.ProcessorTimeAsync(report, postgresql);
    await Postgres.RunAsync(report, postgresql);
}

if (given.TryGetValue("--redis", out string? redis))
{
    await Redis.ServerTimeAsync(report, redis);
    await Redis.RunAsync(report, redis);
}

await Million.RunAsync(report, postgresql, redis);
