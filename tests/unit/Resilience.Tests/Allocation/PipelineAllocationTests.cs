namespace Resilience.Tests.Allocation;

/// <summary>The promises of the hot path: these calls allocate nothing at all.</summary>
public sealed class PipelineAllocationTests
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);
    private static readonly Func<CancellationToken, ValueTask<string>> Text = static _ => new("x");
    private static readonly Func<CancellationToken, ValueTask> Nothing = static _ => default;
    private static readonly Func<CancellationToken, Task> DoneTask = static _ => Task.CompletedTask;

    private static ResiliencePipeline WithBreaker(Action<CircuitBreakerOptions>? configure = null) =>
        new ResiliencePipelineBuilder().AddCircuitBreaker(configure ?? (_ => { })).Build();

    [Fact]
    public void The_measure_itself_sees_an_allocation() =>
        Allocated.BytesPerRun(() => GC.KeepAlive(new object())).Should().BeGreaterThanOrEqualTo(24);

    [Fact]
    public void An_empty_pipeline_allocates_nothing_for_any_kind_of_delegate()
    {
        ResiliencePipeline pipeline = ResiliencePipeline.Empty;
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Text).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Nothing).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(DoneTask).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(static (s, _) => new ValueTask<long>(s), 7L).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(static (s, _) => new ValueTask<string>(s), "state").GetAwaiter().GetResult()).Should().Be(0);
    }

    [Fact]
    public void Calls_of_alternating_types_allocate_nothing_either()
    {
        ResiliencePipeline pipeline = ResiliencePipeline.Empty;
        Allocated.BytesPerRun(() =>
        {
            pipeline.ExecuteAsync(Number).GetAwaiter().GetResult();
            pipeline.ExecuteAsync(Text).GetAwaiter().GetResult();
            pipeline.ExecuteAsync(static (s, _) => new ValueTask<int>(s), 7).GetAwaiter().GetResult();
            pipeline.ExecuteAsync(static (s, _) => new ValueTask<int>((int)s), 7L).GetAwaiter().GetResult();
        }).Should().Be(0);
    }

    [Fact]
    public void A_closed_breaker_allocates_nothing_for_a_success()
    {
        ResiliencePipeline pipeline = WithBreaker();
        Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
        ResiliencePipeline watching = WithBreaker(o => (o.SlowCallThreshold, o.ConsecutiveFailures) = (TimeSpan.FromSeconds(1), 5));
        Allocated.BytesPerRun(() => watching.ExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
    }

    [Fact]
    public void A_failure_counted_by_a_closed_breaker_allocates_nothing_of_ours()
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 1_000_000, ConsecutiveFailures = null });
        Allocated.BytesPerRun(() =>
        {
            breaker.TryEnter(out CircuitPermit permit);
            breaker.Exit(permit, Verdict.Failure);
        }).Should().Be(0);
    }

    [Fact]
    public void An_open_circuit_rejects_without_an_allocation()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build();
        Allocated.BytesPerRun(() => pipeline.TryExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0);
        Allocated.BytesPerRun(() => breaker.TryEnter(out _)).Should().Be(0);
    }

    [Fact]
    public void Probes_come_and_go_without_an_allocation()
    {
        ManualTime time = new();
        CircuitBreaker breaker = new(new() { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 }, time);
        breaker.TryEnter(out CircuitPermit failing);
        breaker.Exit(failing, Verdict.Failure);
        time.Advance(TimeSpan.FromSeconds(5));
        breaker.TryEnter(out CircuitPermit first).Should().Be(CircuitAdmission.AdmittedAsProbe);
        breaker.Exit(first, Verdict.Ignored);
        Allocated.BytesPerRun(() =>
        {
            breaker.TryEnter(out CircuitPermit probe);
            breaker.Exit(probe, Verdict.Ignored);
        }).Should().Be(0);
    }
}
