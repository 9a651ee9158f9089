using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;

namespace Resilience.Benchmarks.Candidates;

/// <summary>What does it cost to give a call a token with a deadline and take it back? The last one won (decision 0006).</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "Gen0", "Gen1")]
public class Candidates_for_timeouts
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);
    private CancellationTokenSource _pooled = new();

    [Benchmark, BenchmarkCategory("timer: a new source for each call")]
    public bool New_source()
    {
        using CancellationTokenSource source = new(Timeout);
        return source.Token.IsCancellationRequested;
    }

    [Benchmark, BenchmarkCategory("timer: a pooled source with its own timer")]
    public bool Pooled_source_with_its_own_timer()
    {
        _pooled.CancelAfter(Timeout);
        bool cancelled = _pooled.Token.IsCancellationRequested;
        if (!_pooled.TryReset()) _pooled = new();
        return cancelled;
    }

    [Benchmark, BenchmarkCategory("timer: a pooled source and one scanner")]
    public bool Pooled_source_and_one_scanner()
    {
        TimeoutSource source = TimeoutPool.Rent(Clock.System, Timeout);
        source.Arm(Clock.System.NowMs + 30_000);
        bool cancelled = source.Token.IsCancellationRequested;
        source.Disarm(out bool reusable);
        if (reusable) TimeoutPool.Return(source);
        return cancelled;
    }
}
