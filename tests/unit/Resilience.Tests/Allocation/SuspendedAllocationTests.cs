namespace Resilience.Tests.Allocation;

/// <summary>A call that really suspends allocates nothing of ours either: not one alone, and not many that are under way together.</summary>
public sealed class SuspendedAllocationTests
{
    private const int UnderWay = 500;

    public static TheoryData<string> Chains => [.. Builders.Keys];

    private static readonly Dictionary<string, Func<ResiliencePipelineBuilder>> Builders = new(StringComparer.Ordinal)
    {
        ["empty"] = static () => new(),
        ["timeout"] = static () => new ResiliencePipelineBuilder().AddTimeout(TimeSpan.FromMinutes(1)),
        ["retry"] = static () => new ResiliencePipelineBuilder().AddRetry(),
        ["breaker"] = static () => new ResiliencePipelineBuilder().AddCircuitBreaker(),
        ["limit"] = static () => new ResiliencePipelineBuilder().AddConcurrencyLimit(UnderWay),
        ["nested"] = static () => new ResiliencePipelineBuilder().AddRetry().AddPipeline(new ResiliencePipelineBuilder().AddCircuitBreaker().Build()),
        ["standard"] = static () => new ResiliencePipelineBuilder()
            .AddTimeout(TimeSpan.FromMinutes(1)).AddRetry().AddCircuitBreaker().AddTimeout(TimeSpan.FromSeconds(30)),
        ["more frames than usual"] = static () =>
            Enumerable.Range(0, 20).Aggregate(new ResiliencePipelineBuilder(), static (b, i) => b.AddRetry(o => o.Name = $"retry {i}")),
    };

    [Theory]
    [MemberData(nameof(Chains))]
    public void A_call_that_suspends_allocates_nothing_of_ours(string chain)
    {
        ResiliencePipeline pipeline = Builders[chain]().Build();
        Later later = new();
        Allocated.BytesPerRun(() => Check(later, pipeline.ExecuteAsync(static (l, _) => l.Begin(), later))).Should().Be(0);
        Allocated.BytesPerRun(() =>
        {
            ValueTask<Outcome<int>> call = pipeline.TryExecuteAsync(static (l, _) => l.Begin(), later);
            later.End(42);
            if (call.GetAwaiter().GetResult().Value != 42) throw new InvalidOperationException();
        }).Should().Be(0);
        Allocated.BytesPerRun(() =>
        {
            ValueTask call = pipeline.ExecuteAsync(static (l, _) => l.BeginWithoutResult(), later);
            later.End(42);
            call.GetAwaiter().GetResult();
        }).Should().Be(0);
    }

    [Fact]
    public void A_delegate_that_returns_a_task_costs_its_task_alone()
    {
        ResiliencePipeline pipeline = Builders["standard"]().Build();
        SynchronizationContext.SetSynchronizationContext(null); // that of the test would send the end of a task to another thread
        double bare = Allocated.BytesPerRun(static () => End(new TaskCompletionSource<int>()));
        double through = Allocated.BytesPerRun(() =>
        {
            TaskCompletionSource<int> end = new();
            ValueTask<int> call = pipeline.ExecuteAsync(static (e, _) => e.Task, end);
            End(end);
            if (call.GetAwaiter().GetResult() != 42) throw new InvalidOperationException();
        });
        through.Should().BeLessThanOrEqualTo(bare + 0.5, "the continuation is the suspension's own");
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("standard")]
    public void Many_calls_under_way_at_once_allocate_nothing_of_ours(string chain)
    {
        ResiliencePipeline pipeline = Builders[chain]().Build();
        Later[] later = [.. Enumerable.Range(0, UnderWay).Select(static _ => new Later())];
        ValueTask<int>[] calls = new ValueTask<int>[UnderWay];
        double bytes = Allocated.BytesPerRun(
            () =>
            {
                for (int i = 0; i < UnderWay; i++) calls[i] = pipeline.ExecuteAsync(static (l, _) => l.Begin(), later[i]);
                for (int i = 0; i < UnderWay; i++) later[i].End(42);
                for (int i = 0; i < UnderWay; i++) calls[i].GetAwaiter().GetResult();
            },
            runs: 20);
        (bytes / UnderWay).Should().BeLessThan(1);
    }

    private sealed class Busy;

    /// <summary>A type that was busy once gives its places to one that is busy now; all together never hold more than the bound.</summary>
    [Fact]
    public void Places_of_a_type_that_is_no_longer_used_go_to_one_that_is()
    {
        for (int i = 0; i < 2 * SpareObjects.Capacity; i++) SpareObjects<Busy>.Give(new());
        for (int i = 0; i < SpareObjects.Capacity; i++) SpareObjects<object>.Give(new());
        int former = Drain<Busy>(), present = Drain<object>();
        present.Should().BeGreaterThan(UnderWay, "it is busy now");
        (former + present).Should().BeLessThanOrEqualTo(SpareObjects.Capacity);

        static int Drain<T>()
            where T : class
        {
            int count = 0;
            while (SpareObjects<T>.TryTake() is not null) count++;
            return count;
        }
    }

    [Fact]
    public void What_a_thousand_idle_calls_hold_is_bounded()
    {
        SpareObjects.Capacity.Should().BeLessThanOrEqualTo(2048, "a call and its suspension take some 700 bytes, and the promise is 1 MiB");
        double call = Size(static () => Call<Invocation<int>, int>.MakeShown(new(static _ => new(1))));
        double suspension = Size(static () => new Suspension<int>());
        ((call + suspension) / 2 * SpareObjects.Capacity).Should().BeLessThan(1 << 20);
    }

    private static double Size(Func<object> make) => Allocated.BytesPerRun(() => GC.KeepAlive(make()));

    private static void Check(Later later, ValueTask<int> call)
    {
        if (call.IsCompleted) throw new InvalidOperationException("It has not suspended.");
        later.End(42);
        if (call.GetAwaiter().GetResult() != 42) throw new InvalidOperationException();
    }

    private static void End(TaskCompletionSource<int> end) => end.SetResult(42);
}
