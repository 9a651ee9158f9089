using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Configs;

namespace Resilience.Benchmarks.Candidates;

/// <summary>Four links that do nothing: a generic virtual call for each, or a chain closed over the result type. The latter won (decision 0004).</summary>
[MemoryDiagnoser]
[GroupBenchmarksBy(BenchmarkLogicalGroupRule.ByCategory)]
[CategoriesColumn]
[HideColumns("Error", "StdDev", "Median", "Gen0", "Gen1")]
public class Candidates_for_chains
{
    private abstract class Generic
    {
        internal abstract ValueTask<Outcome<T>> ExecuteAsync<T>(object context);
    }

    private sealed class GenericLink(Generic next) : Generic
    {
        internal override ValueTask<Outcome<T>> ExecuteAsync<T>(object context) => next.ExecuteAsync<T>(context);
    }

    private sealed class GenericEnd : Generic
    {
        internal override ValueTask<Outcome<T>> ExecuteAsync<T>(object context) => new(Outcome.Success(default(T)!));
    }

    private abstract class Closed<T>
    {
        internal abstract ValueTask<Outcome<T>> ExecuteAsync(object context);
    }

    private sealed class ClosedLink<T>(Closed<T> next) : Closed<T>
    {
        internal override ValueTask<Outcome<T>> ExecuteAsync(object context) => next.ExecuteAsync(context);
    }

    private sealed class ClosedEnd<T> : Closed<T>
    {
        internal override ValueTask<Outcome<T>> ExecuteAsync(object context) => new(Outcome.Success(default(T)!));
    }

    private readonly Generic _generic = new GenericLink(new GenericLink(new GenericLink(new GenericLink(new GenericEnd()))));
    private readonly Closed<string> _text = new ClosedLink<string>(
        new ClosedLink<string>(new ClosedLink<string>(new ClosedLink<string>(new ClosedEnd<string>()))));
    private readonly Closed<int> _number = new ClosedLink<int>(new ClosedLink<int>(new ClosedLink<int>(new ClosedLink<int>(new ClosedEnd<int>()))));

    [Benchmark, BenchmarkCategory("chain: generic virtual calls, int")]
    public Verdict Generic_int() => _generic.ExecuteAsync<int>(this).Result.Verdict;

    [Benchmark, BenchmarkCategory("chain: closed over the type, int")]
    public Verdict Closed_int() => _number.ExecuteAsync(this).Result.Verdict;

    [Benchmark, BenchmarkCategory("chain: generic virtual calls, string")]
    public Verdict Generic_string() => _generic.ExecuteAsync<string>(this).Result.Verdict;

    [Benchmark, BenchmarkCategory("chain: closed over the type, string")]
    public Verdict Closed_string() => _text.ExecuteAsync(this).Result.Verdict;
}
