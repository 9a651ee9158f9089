using System.Diagnostics;

namespace Resilience.Idempotency.Benchmarks;

/// <summary>A way of doing something often, and what it took.</summary>
internal sealed class Measure(string name, Func<int, Task> run)
{
    private readonly List<double> _nanoseconds = [];
    private readonly List<double> _processor = [];
    private readonly List<double> _bytes = [];

    internal string Name { get; } = name;

    internal double Nanoseconds => Median(_nanoseconds);

    /// <summary>Of the whole process, the collector's threads included: on a busy machine the only time that says something.</summary>
    internal double ProcessorNanoseconds => Median(_processor);

    internal double Bytes => Median(_bytes);

    /// <summary>All of them take turns, so that they meet the same machine.</summary>
    internal static async Task TakeTurnsAsync(int rounds, int times, params Measure[] measures)
    {
        for (int round = -3; round < rounds; round++)
        {
            foreach (Measure one in measures) await OnceAsync(times, round >= 0, one); // before that the compiler is still learning
        }
    }

    internal static async Task OnceAsync(int times, bool counts, Measure one)
    {
        GC.Collect();
        TimeSpan processor = Environment.CpuUsage.TotalTime;
        long bytes = GC.GetTotalAllocatedBytes(precise: true), start = Stopwatch.GetTimestamp();
        await one.Run(times);
        double took = Stopwatch.GetElapsedTime(start).TotalNanoseconds / times;
        double used = (Environment.CpuUsage.TotalTime - processor).TotalNanoseconds / times;
        double allocated = (GC.GetTotalAllocatedBytes(precise: true) - bytes) / (double)times;
        if (!counts) return;
        one._nanoseconds.Add(took);
        one._processor.Add(used);
        one._bytes.Add(allocated);
    }

    private Func<int, Task> Run { get; } = run;

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
