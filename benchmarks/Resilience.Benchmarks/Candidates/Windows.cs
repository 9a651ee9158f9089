using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;

namespace Resilience.Benchmarks.Candidates;

/// <summary>Is it worth striping the window of the breaker? One bucket for all threads, or ours, which stripes itself when threads collide.</summary>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median")]
public class Candidates_for_windows
{
    private const int Calls = 2_000_000;
    private readonly FailureWindow _window = FailureWindow.OverTime(10);
    private long _bucket;

    [Params(1, 2, 4)]
    public int Threads { get; set; }

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("window: one bucket for all")]
    public void One_bucket() => Run(() =>
    {
        for (int i = 0; i < 1000; i++)
        {
            long seen = Volatile.Read(ref _bucket), found;
            while ((found = Interlocked.CompareExchange(ref _bucket, FailureWindow.Count(seen, 7, false), seen)) != seen) seen = found;
        }
    });

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("window: striped on collision")]
    public void Striped() => Run(() =>
    {
        for (int i = 0; i < 1000; i++) _window.Record(7, false);
    });

    private void Run(Action portion)
    {
        int portions = Calls / Threads / 1000;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < portions; i++) portion();
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
    }
}
