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

string? postgresql = given.GetValueOrDefault("--postgresql"), redis = given.GetValueOrDefault("--redis");
using StringWriter report = new();
try
{
    await MeasureAsync();
}
finally
{
    // Also what was measured before something failed.
    using StreamWriter file = new(output);
    file.WriteLine("# What idempotency costs");
    file.WriteLine();
    file.WriteLine($"Made on {DateTime.Now:yyyy-MM-dd} by `benchmarks/idempotency.sh`. {await Machine.DescribeAsync(postgresql, redis)}");
    Aims.Write(file);
    file.Write(report.ToString());
}

async Task MeasureAsync()
{
    if (given.ContainsKey("--million-only"))
    {
        await Million.RunAsync(report, postgresql, redis);
        return;
    }

    if (given.ContainsKey("--processor-only"))
    {
        await Processor.RunAsync(report);
        return;
    }

    if (given.ContainsKey("--servers-only"))
    {
        if (postgresql is not null)
        {
            await Postgres.ProcessorTimeAsync(report, postgresql);
            await Postgres.RunAsync(report, postgresql);
        }

        if (redis is null) return;
        await Redis.ServerTimeAsync(report, redis);
        await Redis.RunAsync(report, redis);
        return;
    }

    await Processor.RunAsync(report);
    await InMemory.RunAsync(report);
    await Sqlite.RunAsync(report);
    if (postgresql is not null)
    {
        await Postgres.ProcessorTimeAsync(report, postgresql);
        await Postgres.RunAsync(report, postgresql);
    }

    if (redis is not null)
    {
        await Redis.ServerTimeAsync(report, redis);
        await Redis.RunAsync(report, redis);
    }

    await Million.RunAsync(report, postgresql, redis);
}
