using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;

namespace Resilience.Tests.Telemetry;

/// <summary>The gauges that look at what is alive. They see the whole process, so each test has names of its own, and they run alone.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class GaugeTests
{
    private readonly ManualTime _time = new();

    /// <summary>What a gauge says now of one pipeline and policy, by state where there is one.</summary>
    private static Dictionary<string, int> Look(string gauge, string pipeline, string policy)
    {
        Dictionary<string, int> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == gauge) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((_, value, tags, _) =>
        {
            Dictionary<string, object?> all = new(tags.ToArray());
            if (!Equals(all["resilience.pipeline"], pipeline) || !Equals(all["resilience.policy"], policy)) return;
            seen.Add(all.GetValueOrDefault("resilience.circuit_breaker.state") as string ?? "", value); // throws when a series comes twice
        });
        listener.Start();
        listener.RecordObservableInstruments();
        return seen;
    }

    private static Dictionary<string, int> Circuits(string pipeline, string policy = "circuit-breaker") => Look("resilience.circuit_breaker.circuits", pipeline, policy);

    private ResiliencePipelineBuilder New(string name) => new ResiliencePipelineBuilder { Name = name, TimeProvider = _time }
        .AddCircuitBreaker(new CircuitBreakerOptions { FailureRatio = null, ConsecutiveFailures = 1, BreakJitter = 0 });

    [Fact]
    public async Task A_circuit_is_counted_in_the_state_that_the_time_gives_it_and_all_states_are_reported()
    {
        ResiliencePipeline pipeline = New("by state").Build();
        Circuits("by state").Should().BeEquivalentTo(new Dictionary<string, int> { ["closed"] = 1, ["open"] = 0, ["half_open"] = 0, ["isolated"] = 0 });
        await pipeline.TryExecuteAsync<int>(_ => throw new IOException());
        Circuits("by state").Should().Contain("open", 1).And.Contain("closed", 0);
        _time.Advance(TimeSpan.FromSeconds(5));
        Circuits("by state").Should().Contain("half_open", 1, "its break is over, though no call has come").And.Contain("open", 0);
        pipeline.Find<CircuitBreaker>()!.Isolate();
        Circuits("by state").Should().Contain("isolated", 1);
    }

    [Fact]
    public void A_breaker_with_keys_is_one_series_a_state_however_many_keys_it_has()
    {
        CircuitBreakerPartitions set = new(new() { Name = "keyed" }, timeProvider: _time);
        for (int i = 0; i < 50; i++) set.Get($"tenant {i}");
        for (int i = 0; i < 3; i++) set.Get($"tenant {i}").Isolate();
        Circuits("", "keyed").Should().BeEquivalentTo(new Dictionary<string, int> { ["closed"] = 47, ["open"] = 0, ["half_open"] = 0, ["isolated"] = 3 });
        set.Overflow.Isolate();
        Circuits("", "keyed").Should().Contain("isolated", 4);
    }

    [Fact]
    public void A_shared_breaker_counts_once_and_two_of_one_name_are_one_series()
    {
        CircuitBreaker shared = new(new() { Name = "shared" }, _time), namesake = new(new() { Name = "shared" }, _time);
        for (int i = 0; i < 3; i++) new ResiliencePipelineBuilder { Name = $"user {i}" }.AddCircuitBreaker(shared).Build();
        namesake.Isolate();
        Circuits("", "shared").Should().Contain("closed", 1).And.Contain("isolated", 1);
        Circuits("user 1", "shared").Should().BeEmpty();
        GC.KeepAlive(shared);
    }

    [Fact]
    public void An_update_keeps_the_count_and_a_pipeline_that_is_found_wrong_has_none()
    {
        ResiliencePipeline pipeline = New("updated").AddConcurrencyLimit(3).Build();
        pipeline.Update(New("updated").AddConcurrencyLimit(7));
        pipeline.Invoking(p => p.Update(New("updated").AddConcurrencyLimit(9).AddTimeout(TimeSpan.Zero))).Should().Throw<ResilienceOptionsException>();
        Circuits("updated").Values.Sum().Should().Be(1);
        Look("resilience.concurrency_limit.limit", "updated", "concurrency-limit").Should().BeEquivalentTo(new Dictionary<string, int> { [""] = 7 });
        FluentActions.Invoking(() => New("never").AddConcurrencyLimit(9).AddTimeout(TimeSpan.Zero).Build()).Should().Throw<ResilienceOptionsException>();
        Circuits("never").Should().BeEmpty();
        Look("resilience.concurrency_limit.limit", "never", "concurrency-limit").Should().BeEmpty();
        GC.KeepAlive(pipeline);
    }

    [Fact]
    public void What_is_no_longer_referenced_is_forgotten()
    {
        WeakReference gone = MakeAndForget();
        Circuits("forgotten").Should().NotBeEmpty();
        for (int i = 0; i < 10 && gone.IsAlive; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        gone.IsAlive.Should().BeFalse("a gauge keeps nothing alive");
        Circuits("forgotten").Should().BeEmpty();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private WeakReference MakeAndForget() => new(New("forgotten").Build().Find<CircuitBreaker>());

    [Fact]
    public void A_list_of_what_is_watched_does_not_grow_when_things_come_and_go()
    {
        WatchList<object> list = new();
        object kept = new();
        list.Add(kept);
        for (int i = 0; i < 2_000; i++)
        {
            list.Add(new());
            if (i % 100 == 0) GC.Collect();
        }

        list.Count.Should().BeLessThan(1_500);
        GC.Collect();
        list.Alive().Should().Contain(kept).And.HaveCountLessThan(10);
        list.Count.Should().BeLessThan(10, "who looks also sweeps");
    }
}
