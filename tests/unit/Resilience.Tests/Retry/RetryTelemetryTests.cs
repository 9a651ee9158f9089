using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Resilience.Tests.Retry;

/// <summary>A listener is heard by the whole process and slows the calls of other tests down (and makes them allocate), so these run alone.</summary>
[CollectionDefinition(nameof(RetryTelemetryTests), DisableParallelization = true)]
public class RetryTelemetryCollection;

/// <summary>What meters and activities record of retries. The meter is the process's: each test looks at its own pipeline name only.</summary>
[Collection(nameof(RetryTelemetryTests))]
public class RetryTelemetryTests
{
    private readonly List<(string Instrument, double Value, Dictionary<string, object?> Tags)> _heard = [];
    private readonly WatchedTime _time = new();

    private MeterListener Listen(string pipeline)
    {
        MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == ResilienceTelemetry.MeterName && instrument.Name.StartsWith("resilience.retr", StringComparison.Ordinal))
                l.EnableMeasurementEvents(instrument);
        };
        void Hear(string name, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            Dictionary<string, object?> all = new(tags.ToArray());
            if (!Equals(all.GetValueOrDefault("resilience.pipeline"), pipeline)) return;
            lock (_heard) _heard.Add((name, value, all));
        }

        listener.SetMeasurementEventCallback<long>((i, v, t, _) => Hear(i.Name, v, t));
        listener.SetMeasurementEventCallback<double>((i, v, t, _) => Hear(i.Name, v, t));
        listener.Start();
        return listener;
    }

    private ResiliencePipeline Pipeline(string name, Action<RetryOptions> change)
    {
        RetryOptions options = new() { Jitter = BackoffJitter.None };
        change(options);
        return new ResiliencePipelineBuilder { Name = name, TimeProvider = _time }.AddRetry(options).Build();
    }

    [Fact]
    public async Task Retries_delays_and_denials_are_counted_by_reason()
    {
        using MeterListener listener = Listen("counted");
        await _time.DriveAsync(Pipeline("counted", o => o.MaxRetries = 2).TryExecuteAsync(new Script(failures: 9).RunAsync));
        _heard.Where(h => h.Instrument == "resilience.retries").Should().HaveCount(2)
            .And.OnlyContain(h => h.Value == 1 && (string)h.Tags["resilience.reason"]! == "System.IO.IOException"
                && (string)h.Tags["resilience.policy"]! == "retry");
        _heard.Where(h => h.Instrument == "resilience.retry.delay").Select(h => h.Value).Should().Equal(0.2, 0.4);
        _heard.Where(h => h.Instrument == "resilience.retry.stopped").Should().ContainSingle().Which.Tags["resilience.reason"].Should().Be("attempts");
    }

    [Fact]
    public async Task Attempts_of_the_call_are_measured_over_all_retries()
    {
        List<int> attempts = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.call.attempts") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, value, tags, _) =>
        {
            if (tags.ToArray().Contains(new("resilience.pipeline", "amplified"))) attempts.Add(value);
        });
        listener.Start();
        await Pipeline("amplified", o => o.BaseDelay = TimeSpan.Zero).TryExecuteAsync(new Script(failures: 2).RunAsync);
        attempts.Should().Equal(3);
    }

    [Fact]
    public async Task Retry_is_an_event_on_the_current_activity()
    {
        using Activity activity = new Activity("caller").Start();
        await _time.DriveAsync(Pipeline("traced", o => o.MaxRetries = 1).TryExecuteAsync(new Script(failures: 9).RunAsync));
        activity.Events.Select(e => e.Name).Should().Equal("resilience.retry", "resilience.retry.stopped");
    }

    [Fact]
    public void Balance_of_a_living_budget_is_measured_and_a_dead_one_is_forgotten()
    {
        using MeterListener listener = Listen("gauged");
        ResiliencePipeline pipeline = Pipeline("gauged", _ => { });
        listener.RecordObservableInstruments();
        _heard.Should().ContainSingle().Which.Value.Should().Be(100);
        GC.KeepAlive(pipeline);

        WeakReference dead = MakeAndForget();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        dead.IsAlive.Should().BeFalse("the list of the gauge holds budgets weakly");
        _heard.Clear();
        listener.RecordObservableInstruments();
        _heard.Should().OnlyContain(h => (string)h.Tags["resilience.policy"]! != "short-lived");
    }

    [Fact]
    public void List_of_the_gauge_does_not_grow_when_budgets_come_and_go()
    {
        for (int i = 0; i < 2_000; i++)
        {
            _ = new RetryBudget(new() { Name = "passing" }, _time);
            if (i % 200 == 0) GC.Collect();
        }

        RetryBudgetTelemetry.For(ResilienceTelemetry.Meter).WatchedCount.Should().BeLessThan(1_500);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference MakeAndForget() => new(
        new ResiliencePipelineBuilder { Name = "gauged", TimeProvider = _time }.AddRetry(o => o.Name = "short-lived").Build().Find<RetryBudget>()!);
}
