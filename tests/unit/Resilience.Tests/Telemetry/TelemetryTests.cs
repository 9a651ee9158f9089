using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Resilience.Tests.Telemetry;

/// <summary>What can be seen from outside. Listeners are process-wide, so these tests run when the others have ended.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class TelemetryTests
{
    private sealed record Measured(string Instrument, double Value, IReadOnlyDictionary<string, object?> Tags);

    /// <summary>Measurements of one pipeline, by its name.</summary>
    private static async Task<Measured[]> Measure(string pipeline, Func<Task> act)
    {
        ConcurrentQueue<Measured> seen = new();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == ResilienceTelemetry.MeterName) l.EnableMeasurementEvents(instrument);
        };
        void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => seen.Enqueue(new(instrument.Name, value, new Dictionary<string, object?>(tags.ToArray())));
        listener.SetMeasurementEventCallback<long>((i, v, t, _) => Record(i, v, t));
        listener.SetMeasurementEventCallback<int>((i, v, t, _) => Record(i, v, t));
        listener.SetMeasurementEventCallback<double>((i, v, t, _) => Record(i, v, t));
        listener.Start();
        await act();
        return [.. seen.Where(m => m.Tags.TryGetValue("resilience.pipeline", out object? name) && name is string n && n == pipeline)];
    }

    [Fact]
    public async Task A_call_is_measured_with_its_attempts_and_its_outcome()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "measured" }.AddRetry(o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).Build();
        int attempts = 0;
        Measured[] seen = await Measure("measured", async () =>
        {
            await pipeline.ExecuteAsync(new("charge"), (_, _) => ++attempts < 3 ? throw new IOException() : new ValueTask<int>(1), 0);
            await pipeline.TryExecuteAsync<int>(_ => throw new ArgumentException());
        });
        Measured[] durations = [.. seen.Where(m => m.Instrument == "resilience.call.duration")];
        durations.Should().HaveCount(2);
        durations[0].Tags.Should().Contain("resilience.verdict", "success").And.Contain("resilience.operation", "charge").And.NotContainKey("error.type", "errors that were retried are not the call's");
        durations[1].Tags.Should().Contain("resilience.verdict", "ignored").And.Contain("error.type", "System.ArgumentException");
        seen.Where(m => m.Instrument == "resilience.call.attempts").Select(m => m.Value).Should().Equal(3, 1);
        seen.Where(m => m.Instrument == "resilience.attempts").Select(m => m.Tags["resilience.verdict"]).Should().Equal("failure", "failure", "success", "ignored");
        seen.Where(m => m.Instrument == "resilience.retries").Should().HaveCount(2);
    }

    [Fact]
    public async Task Breaker_limit_timeout_and_fallback_are_measured()
    {
        CircuitBreaker breaker = new(new() { Name = "b", FailureRatio = null, ConsecutiveFailures = 1 });
        ResiliencePipeline<int> pipeline = new ResiliencePipelineBuilder<int> { Name = "all" }
            .AddFallback(o => o.Value = 0).AddCircuitBreaker(breaker).AddConcurrencyLimit(1).AddTimeout(TimeSpan.FromMilliseconds(20)).Build();
        Measured[] seen = await Measure("all", async () =>
        {
            TaskCompletionSource hold = new();
            Task<int> first = pipeline.ExecuteAsync(async _ => { await hold.Task; return 1; }).AsTask();
            await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
            hold.SetResult();
            await first;
            await pipeline.ExecuteAsync(async ct => { await Task.Delay(Timeout.Infinite, ct); return 1; });
            await pipeline.ExecuteAsync(_ => new ValueTask<int>(1));
        });
        Count("resilience.concurrency_limit.rejections").Should().Be(1);
        Count("resilience.timeouts").Should().Be(1);
        Count("resilience.circuit_breaker.rejections").Should().Be(1);
        Count("resilience.fallbacks").Should().Be(3);
        Count("resilience.concurrency_limit.running").Should().Be(0, "what went up came down");

        double Count(string instrument) => seen.Where(m => m.Instrument == instrument).Sum(m => m.Value);
    }

    [Fact]
    public async Task A_call_is_a_span_and_what_policies_do_are_its_events()
    {
        List<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = s => s.Name == ResilienceTelemetry.ActivitySourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "traced" }.AddRetry(o => (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero)).Build();
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        Activity span = spans.Single(s => s.OperationName == "traced");
        span.Status.Should().Be(ActivityStatusCode.Error);
        span.GetTagItem("resilience.attempts").Should().Be(2);
        span.GetTagItem("error.type").Should().Be("System.IO.IOException");
        span.Events.Select(e => e.Name).Should().Equal("resilience.retry", "resilience.retry.stopped");
    }

    [Fact]
    public async Task Errors_of_user_callbacks_are_counted()
    {
        ConcurrentQueue<string?> seen = new();
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.callback.errors") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => seen.Enqueue(tags.ToArray().First(t => t.Key == "resilience.callback").Value as string));
        listener.Start();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().Classify(c => c.On<IOException>(_ => throw new InvalidOperationException())).Build();
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        seen.Should().Contain("classifier");
    }

    [Fact]
    public async Task A_listener_does_not_change_what_the_caller_sees()
    {
        IOException error = new();
        await Measure("x", async () =>
        {
            (await ResiliencePipeline.Empty.ExecuteAsync(_ => new ValueTask<int>(5))).Should().Be(5);
            await FluentActions.Awaiting(() => ResiliencePipeline.Empty.ExecuteAsync<int>(_ => throw error).AsTask()).Should().ThrowAsync<IOException>();
            (await ResiliencePipeline.Empty.TryExecuteAsync<int>(_ => throw error)).Exception.Should().BeSameAs(error);
        });
    }
}
