using System.Diagnostics;
using System.Globalization;

namespace Resilience.Suspended.Benchmarks;

/// <summary>Turns of the contestants, round by round, in processor time of the whole process: what other programs take does not count, the work of
/// the collector does.</summary>
internal static class Measurement
{
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1); // each, until the compiler has done its best

    /// <summary>One line of the table.</summary>
    internal static async Task<string> OfAsync(Row row, int rounds)
    {
        Func<int, Task>[] contestants = row.Theirs is null ? [row.Bare, row.Ours] : [row.Bare, row.Ours, row.Theirs];
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < WarmUp * contestants.Length;)
        {
            foreach (Func<int, Task> one in contestants) await OnceAsync(one, row.Calls);
        }

        Sample[][] samples = Array.ConvertAll(contestants, _ => new Sample[rounds]);
        for (int round = 0; round < rounds; round++)
        {
            for (int turn = 0; turn < contestants.Length; turn++)
            {
                int one = (turn + round) % contestants.Length;
                samples[one][round] = await OnceAsync(contestants[one], row.Calls);
            }
        }

        double bare = Median(samples[0], s => s.Nanoseconds), bareBytes = Median(samples[0], s => s.Bytes);
        double ours = Added(samples[1], samples[0]), oursBytes = Median(samples[1], s => s.Bytes) - bareBytes;
        string theirs = "–", share = "–", theirBytes = "–";
        if (samples.Length > 2)
        {
            double added = Added(samples[2], samples[0]);
            theirs = Show(added);
            share = ours > 0 ? (added / ours).ToString("0.0", CultureInfo.InvariantCulture) : "more";
            theirBytes = Show(Median(samples[2], s => s.Bytes) - bareBytes);
        }

        return $"| {row.Name} | {Show(bare)} | {Show(ours)} ({Quartiles(samples[1], samples[0])}) | {theirs} | {share} | {Show(bareBytes)} | {Show(oursBytes)} | {theirBytes} |";
    }

    private static async Task<Sample> OnceAsync(Func<int, Task> work, int calls)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long bytes = GC.GetTotalAllocatedBytes(precise: true);
        TimeSpan before = Environment.CpuUsage.TotalTime;
        await Task.Run(() => work(calls));
        TimeSpan used = Environment.CpuUsage.TotalTime - before;
        return new(used.TotalNanoseconds / calls, (GC.GetTotalAllocatedBytes(precise: true) - bytes) / (double)calls);
    }

    private static double Added(Sample[] samples, Sample[] bare) => Median(Over(samples, bare), n => n);

    private static string Quartiles(Sample[] samples, Sample[] bare)
    {
        double[] sorted = [.. Over(samples, bare).Order()];
        return $"{Show(sorted[sorted.Length / 4])} to {Show(sorted[sorted.Length * 3 / 4])}";
    }

    /// <summary>Over the bare call's time in the same round: the machine is slower in one minute than in the next, for all of them.</summary>
    private static double[] Over(Sample[] samples, Sample[] bare) => [.. samples.Zip(bare, (one, other) => one.Nanoseconds - other.Nanoseconds)];

    private static double Median<TItem>(TItem[] items, Func<TItem, double> value) => items.Select(value).Order().ElementAt(items.Length / 2);

    private static string Show(double value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
