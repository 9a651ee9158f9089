using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;
using Polly;
using Resilience.Extensibility;

namespace Resilience.Benchmarks;

/// <summary>What does a call cost that completes at once? One category per policy; in each, Polly is the baseline.</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_a_call_that_completes_at_once
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);
    private static readonly Func<CancellationToken, ValueTask<string>> Text = static _ => new("x");

    private readonly ResiliencePipeline _retry = Ours.Retry(), _breaker = Ours.Breaker(), _timeout = Ours.Timeout(), _standard = Ours.Standard();
    private readonly Polly.ResiliencePipeline _pollyRetry = Theirs.Retry(), _pollyBreaker = Theirs.Breaker(), _pollyTimeout = Theirs.Timeout(),
        _pollyStandard = Theirs.Standard();

    [Benchmark(Baseline = true), BenchmarkCategory("empty")]
    public int Empty_Polly() => Theirs.Empty.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("empty")]
    public int Empty() => Ours.Empty.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("empty, string")]
    public string EmptyText_Polly() => Theirs.Empty.ExecuteAsync(Text).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("empty, string")]
    public string EmptyText() => Ours.Empty.ExecuteAsync(Text).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("retry")]
    public int Retry_Polly() => _pollyRetry.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("retry")]
    public int Retry() => _retry.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("closed breaker")]
    public int Breaker_Polly() => _pollyBreaker.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("closed breaker")]
    public int Breaker() => _breaker.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("timeout")]
    public int Timeout_Polly() => _pollyTimeout.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("timeout")]
    public int Timeout() => _timeout.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("timeout > retry > breaker > timeout")]
    public int Standard_Polly() => _pollyStandard.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("timeout > retry > breaker > timeout")]
    public int Standard() => _standard.ExecuteAsync(Number).GetAwaiter().GetResult();
}

/// <summary>What does the standard chain add to a call that really suspends? Subtract the bare delegate from both.</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_a_call_that_suspends
{
    private static readonly Func<CancellationToken, ValueTask<int>> Suspends = static async _ =>
    {
        await Task.Yield();
        return 42;
    };

    private readonly ResiliencePipeline _standard = Ours.Standard();
    private readonly Polly.ResiliencePipeline _polly = Theirs.Standard();

    private const int Calls = 10_000;

    /// <summary>1: one after the other, as a request handler does. More: so many begun before the first is awaited.</summary>
    [Params(1, 1_000, 10_000)]
    public int InFlight { get; set; }

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("standard chain, suspends")]
    public Task Bare() => Together(static () => Suspends(default));

    [Benchmark(Baseline = true, OperationsPerInvoke = Calls), BenchmarkCategory("standard chain, suspends")]
    public Task Standard_Polly() => Together(() => _polly.ExecuteAsync(Suspends));

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("standard chain, suspends")]
    public Task Standard() => Together(() => _standard.ExecuteAsync(Suspends));

    private Task Together(Func<ValueTask<int>> call) => Task.Run(async () =>
    {
        if (InFlight == 1)
        {
            for (int i = 0; i < Calls; i++) await call();
            return;
        }

        ValueTask<int>[] running = new ValueTask<int>[InFlight];
        for (int round = 0; round < Calls / InFlight; round++)
        {
            for (int i = 0; i < running.Length; i++) running[i] = call();
            foreach (ValueTask<int> one in running) await one;
        }
    });
}

/// <summary>What does hedging cost a call whose first attempt answers before the delay?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_hedging
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);

    private static readonly Func<CancellationToken, ValueTask<int>> Suspends = static async _ =>
    {
        await Task.Yield();
        return 42;
    };

    private readonly ResiliencePipeline _hedging = Ours.Hedging();
    private readonly Polly.ResiliencePipeline<int> _polly = Theirs.Hedging();

    [Benchmark(Baseline = true), BenchmarkCategory("hedging, completes at once")]
    public int AtOnce_Polly() => _polly.ExecuteAsync(Number).AsTask().GetAwaiter().GetResult();

    [Benchmark, BenchmarkCategory("hedging, completes at once")]
    public int AtOnce() => _hedging.ExecuteAsync(Number).GetAwaiter().GetResult();

    [Benchmark(Baseline = true), BenchmarkCategory("hedging, suspends")]
    public async Task<int> Suspended_Polly() => await _polly.ExecuteAsync(Suspends);

    [Benchmark, BenchmarkCategory("hedging, suspends")]
    public async Task<int> Suspended() => await _hedging.ExecuteAsync(Suspends);
}

/// <summary>What does a rejection by an open circuit cost, as data and as an exception?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_a_rejection
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);
    private static readonly Func<ResilienceContext, int, ValueTask<Polly.Outcome<int>>> PollyNumber = static (_, _) => new(Polly.Outcome.FromResult(42));

    private readonly ResiliencePipeline _open = Ours.Open();
    private Polly.ResiliencePipeline _polly = null!;

    [GlobalSetup]
    public async Task Setup() => _polly = await Theirs.OpenAsync();

    [Benchmark(Baseline = true), BenchmarkCategory("open circuit, as data")]
    public bool AsData_Polly()
    {
        Polly.ResilienceContext context = ResilienceContextPool.Shared.Get();
        bool rejected = _polly.ExecuteOutcomeAsync(static (_, _) => new ValueTask<Polly.Outcome<int>>(Polly.Outcome.FromResult(42)), context, 0).GetAwaiter()
            .GetResult().Exception is not null;
        ResilienceContextPool.Shared.Return(context);
        return rejected;
    }

    [Benchmark, BenchmarkCategory("open circuit, as data")]
    public bool AsData() => _open.TryExecuteAsync(Number).GetAwaiter().GetResult().Rejection is not null;

    [Benchmark(Baseline = true), BenchmarkCategory("open circuit, thrown and caught")]
    public async Task<bool> Thrown_Polly()
    {
        try
        {
            await _polly.ExecuteAsync(Number);
            return false;
        }
        catch (Polly.CircuitBreaker.BrokenCircuitException)
        {
            return true;
        }
    }

    [Benchmark, BenchmarkCategory("open circuit, thrown and caught")]
    public async Task<bool> Thrown()
    {
        try
        {
            await _open.ExecuteAsync(Number);
            return false;
        }
        catch (CircuitOpenException)
        {
            return true;
        }
    }
}

/// <summary>Does one closed breaker scale when many threads use it? Time per call, all threads together.</summary>
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD")]
public class One_breaker_under_many_threads
{
    private const int Calls = 200_000;
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);

    private readonly ResiliencePipeline _breaker = Ours.Breaker();
    private readonly Polly.ResiliencePipeline _polly = Theirs.Breaker();

    [Params(1, 2, 4, 8)]
    public int Threads { get; set; }

    [Benchmark(Baseline = true, OperationsPerInvoke = Calls), BenchmarkCategory("closed breaker, threads")]
    public void Breaker_Polly() => Run(() => _polly.ExecuteAsync(Number).GetAwaiter().GetResult());

    [Benchmark(OperationsPerInvoke = Calls), BenchmarkCategory("closed breaker, threads")]
    public void Breaker() => Run(() => _breaker.ExecuteAsync(Number).GetAwaiter().GetResult());

    private void Run(Func<int> call)
    {
        // In portions, so that the loop is compiled like any method that is called often, not in the middle of its only run.
        int portions = Calls / Threads / 1000;
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(_ => new Thread(() =>
        {
            for (int i = 0; i < portions; i++) Portion(call);
        }))];
        foreach (Thread thread in threads) thread.Start();
        foreach (Thread thread in threads) thread.Join();
    }

    private static int Portion(Func<int> call)
    {
        int sum = 0;
        for (int i = 0; i < 1000; i++) sum += call();
        return sum;
    }
}

/// <summary>The parts alone: no rival, nanoseconds.</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "Gen0", "Gen1")]
public class Cost_of_the_parts
{
    private readonly Backoff _full = Backoff.Exponential(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
    private readonly Backoff _decorrelated = Backoff.Decorrelated(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
    private readonly RetryBudget _budget = new();
    private readonly CircuitBreaker _breaker = new(Ours.BreakerOptions());
    private readonly ConcurrencyLimit _limit = new(new());
    private int _attempt;

    [Benchmark, BenchmarkCategory("backoff, full jitter")]
    public TimeSpan Backoff_full_jitter() => _full.Delay(_attempt++ & 15, Randomness.Shared);

    [Benchmark, BenchmarkCategory("backoff, decorrelated")]
    public TimeSpan Backoff_decorrelated() => _decorrelated.Delay(_attempt++ & 15, TimeSpan.FromMilliseconds(700), Randomness.Shared);

    [Benchmark, BenchmarkCategory("budget, one call")]
    public void Budget() => _budget.RecordCall();

    [Benchmark, BenchmarkCategory("breaker alone, enter and exit")]
    public CircuitExit Breaker()
    {
        _breaker.TryEnter(out CircuitPermit permit);
        return _breaker.Exit(permit, Verdict.Success);
    }

    [Benchmark, BenchmarkCategory("limit alone, enter and release")]
    public void Limit()
    {
        if (_limit.TryEnter()) _limit.Release();
    }
}

/// <summary>What does it cost to make a breaker, and a hundred thousand with keys?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1", "Gen2")]
public class Cost_of_making_breakers
{
    private static readonly string[] Keys = [.. Enumerable.Range(0, 100_000).Select(i => $"host-{i}")];

    [Benchmark(Baseline = true), BenchmarkCategory("make one pipeline with a breaker")]
    public object One_Polly() => Theirs.Breaker();

    [Benchmark, BenchmarkCategory("make one pipeline with a breaker")]
    public object One() => Ours.Breaker();

    /// <summary>Polly has no keyed breaker: a pipeline for each key, in a dictionary, is what its users write.</summary>
    [Benchmark(Baseline = true), BenchmarkCategory("make 100,000 keyed breakers")]
    public object Keyed_Polly()
    {
        System.Collections.Concurrent.ConcurrentDictionary<string, Polly.ResiliencePipeline> all = new();
        foreach (string key in Keys) all.GetOrAdd(key, static _ => Theirs.Breaker());
        return all;
    }

    [Benchmark, BenchmarkCategory("make 100,000 keyed breakers")]
    public object Keyed()
    {
        CircuitBreakerPartitions all = new(Ours.BreakerOptions(), capacity: Keys.Length);
        foreach (string key in Keys) all.Get(key);
        return all;
    }
}

/// <summary>What does telemetry cost with a listener, and without one?</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "RatioSD", "Gen0", "Gen1")]
public class Cost_of_telemetry
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);
    private readonly ResiliencePipeline _standard = Ours.Standard();
    private System.Diagnostics.Metrics.MeterListener? _metrics;
    private System.Diagnostics.ActivityListener? _spans;

    [Params("nothing", "metrics", "metrics and spans")]
    public string Listening { get; set; } = "nothing";

    [GlobalSetup]
    public void Setup()
    {
        if (Listening == "nothing") return;
        _metrics = new() { InstrumentPublished = (instrument, listener) => { if (instrument.Meter.Name == ResilienceTelemetry.MeterName) listener.EnableMeasurementEvents(instrument); } };
        _metrics.Start();
        if (Listening == "metrics") return;
        _spans = new()
        {
            ShouldListenTo = source => source.Name == ResilienceTelemetry.ActivitySourceName,
            Sample = (ref System.Diagnostics.ActivityCreationOptions<System.Diagnostics.ActivityContext> _) =>
                System.Diagnostics.ActivitySamplingResult.AllData,
        };
        System.Diagnostics.ActivitySource.AddActivityListener(_spans);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _metrics?.Dispose();
        _spans?.Dispose();
    }

    [Benchmark, BenchmarkCategory("standard chain, telemetry")]
    public int Standard() => _standard.ExecuteAsync(Number).GetAwaiter().GetResult();
}
