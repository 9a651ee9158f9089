using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Allocation;

/// <summary>What listeners cost in bytes. They receive events of the whole process and make the calls of other tests allocate, so these run alone.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TelemetryAllocationTests
{
    private static readonly Func<CancellationToken, ValueTask<int>> Number = static _ => new(42);

    private static ResiliencePipeline Standard() => new ResiliencePipelineBuilder { Name = "allocates" }
        .AddTimeout(TimeSpan.FromSeconds(30)).AddRetry().AddCircuitBreaker().AddConcurrencyLimit(10).AddTimeout(TimeSpan.FromSeconds(2)).Build();

    private static double BytesPerCall(ResiliencePipeline pipeline) => Allocated.BytesPerRun(() => pipeline.ExecuteAsync(Number).GetAwaiter().GetResult());

    private static ActivityListener Spans(ActivitySamplingResult sampled)
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = s => s.Name == ResilienceTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampled,
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    [Fact]
    public void A_span_around_us_that_is_not_sampled_costs_nothing()
    {
        CircuitBreaker breaker = new(new());
        breaker.Isolate();
        ResiliencePipeline open = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).Build(), closed = Standard();
        using Activity around = new("not sampled");
        around.Start();
        around.IsAllDataRequested = false;
        Allocated.BytesPerRun(() => open.TryExecuteAsync(Number).GetAwaiter().GetResult()).Should().Be(0, "a sentence is made only when it is asked for");
        BytesPerCall(closed).Should().Be(0);
        around.Events.Should().BeEmpty();
        around.IsAllDataRequested = true;
        Allocated.BytesPerRun(() => open.TryExecuteAsync(Number).GetAwaiter().GetResult(), runs: 10).Should().BeGreaterThan(0, "the measure sees the event");
    }

    private const int BoxedContext = 48;

#if !DEBUG // where the compiler makes objects of the state machines of async methods, and the observed path is one
    [Fact]
    public void Metrics_cost_no_bytes_and_spans_that_are_not_sampled_none_of_ours()
    {
        ResiliencePipeline pipeline = Standard();
        using MeterListener metrics = new();
        metrics.InstrumentPublished = static (instrument, l) =>
        {
            if (instrument.Meter.Name == ResilienceTelemetry.MeterName) l.EnableMeasurementEvents(instrument);
        };
        metrics.Start();
        BytesPerCall(pipeline).Should().Be(0);
        using ActivityListener spans = Spans(ActivitySamplingResult.None);
        BytesPerCall(pipeline).Should().BeLessThanOrEqualTo(BoxedContext,
            "asking the sampler is the framework's, and it boxes a context where the compiler does not see through it");
    }
#endif

    [Fact]
    public void A_sampled_call_is_two_spans_and_nothing_is_left_when_the_listener_has_gone()
    {
        ResiliencePipeline pipeline = Standard();
        using (Spans(ActivitySamplingResult.AllData)) BytesPerCall(pipeline).Should().BeGreaterThan(0, "spans are objects");
        BytesPerCall(pipeline).Should().Be(0, "the pooled context has kept nothing of the span");
    }
}
