using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>Viewers: what they receive, and what the page costs without one.</summary>
public sealed class StreamTests
{
    private static readonly CircuitBreakerOptions Touchy = new() { Name = "heart", ConsecutiveFailures = 1, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) };

    [Fact]
    public async Task A_viewer_gets_everything_first_and_states_from_then_on()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)));
        using Watch watch = await desk.WatchAsync();

        (string Event, JsonElement Data) first = (await watch.NextAsync())!.Value, second = (await watch.NextAsync())!.Value;

        watch.Response.Content.Headers.ContentType!.MediaType.Should().Be("text/event-stream");
        first.Event.Should().Be("all");
        first.Data.GetProperty("mayAct").GetBoolean().Should().BeFalse();
        SnapshotTests.Circuit(first.Data).GetProperty("state").GetString().Should().Be("closed");
        second.Event.Should().Be("state");
        second.Data.GetProperty("layout").GetInt64().Should().Be(first.Data.GetProperty("layout").GetProperty("version").GetInt64());
    }

    [Fact]
    public async Task A_change_of_a_circuit_is_sent_before_the_interval_is_over()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)),
            services: s => s.AddSingleton<TimeProvider>(new RealTime { HasPeriodicTimers = false }));
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();

        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 1);

        JsonElement state = await watch.UntilAsync((name, data) => name == "state" && data.GetProperty("recent").GetArrayLength() > 0);
        JsonElement entry = state.GetProperty("recent")[0];
        (entry.GetProperty("kind").GetString(), entry.GetProperty("to").GetString()).Should().Be(("transition", "open"));
        entry.GetProperty("text").GetString().Should().StartWith("Open: a call failed.");
        state.GetProperty("tick").GetInt64().Should().Be(0, "no interval has ended, because this clock rings for none");
    }

    [Fact]
    public async Task Calls_failures_rejections_and_retries_are_charted_and_counted()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline(
            "orders", p => p.AddRetry(new RetryOptions { MaxRetries = 1, BaseDelay = TimeSpan.Zero, MaxDelay = TimeSpan.Zero }).AddCircuitBreaker(new CircuitBreakerOptions { Name = "heart", ConsecutiveFailures = 4, BreakDuration = TimeSpan.FromHours(1), MaxBreakDuration = TimeSpan.FromHours(1) })));
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();
        ResiliencePipeline orders = desk.Pipeline("orders");
        for (int i = 0; i < 3; i++) await orders.ExecuteAsync(static _ => ValueTask.CompletedTask);
        await SnapshotTests.FailAsync(orders, 2); // two attempts each: the circuit opens
        await SnapshotTests.FailAsync(orders, 5); // rejected

        int calls = 0, failures = 0, rejections = 0, retries = 0;
        bool hasTimes = false;
        await watch.UntilAsync((name, data) =>
        {
            if (name == "state" && data.GetProperty("pipelines") is { } all && all.GetArrayLength() > 0 && all[0]
                .TryGetProperty("point", out JsonElement point))
            {
                calls += point.GetProperty("calls").GetInt32();
                failures += point.GetProperty("failures").GetInt32();
                rejections += point.GetProperty("rejections").GetInt32();
                retries += point.GetProperty("retries").GetInt32();
                hasTimes |= point.TryGetProperty("p50", out JsonElement p50) && point.TryGetProperty("p95", out JsonElement p95)
                    && p50.GetDouble() <= p95.GetDouble();
            }

            return calls == 10;
        });
        JsonElement last = await watch.UntilAsync((name, _) => name == "state");

        (failures, rejections, retries, hasTimes).Should().Be((2, 5, 2, true));
        last.GetProperty("pipelines")[0].GetProperty("policies")[1].GetProperty("counts").EnumerateArray()
            .Select(c => $"{c.GetProperty("what").GetString()}/{c.GetProperty("label").GetString()}={c.GetProperty("count").GetInt64()}")
            .Should().Contain(["circuit_breaker.rejections/open=5", "circuit_breaker.transitions/closed → open=1"]);
    }

    [Fact]
    public async Task Rejections_are_shown_with_their_sentence_as_one_entry_that_grows()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)));
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();

        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 101);

        long rejected = 0;
        JsonElement entry = default;
        await watch.UntilAsync((name, data) =>
        {
            foreach (JsonElement one in Entries(name, data).Where(e => e.GetProperty("kind").GetString() == "rejection"))
            {
                entry = one;
                rejected = one.GetProperty("count").GetInt64(); // of all that have the same words
            }

            return rejected == 100;
        });
        entry.GetProperty("text").GetString().Should().StartWith("orders/heart: the circuit has been open since")
            .And.Contain("because a call failed, and one failure opens it");
    }

    [Fact]
    public async Task A_key_that_shall_not_be_seen_is_in_no_sentence()
    {
        CircuitBreakerPartitions tenants = new(new CircuitBreakerOptions { Name = "tenants" });
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddCircuitBreaker(tenants, _ => "a-secret-tenant")), o => o.ShowPartitionKeys = false);
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();
        tenants.Get("a-secret-tenant").Isolate();

        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 3);

        JsonElement state = await watch.UntilAsync((name, data) => data.ToString().Contains("a-secret-tenant", StringComparison.Ordinal)
            || Entries(name, data).Any(e => e.GetProperty("kind").GetString() == "rejection"));
        state.ToString().Should().NotContain("a-secret-tenant").And.Contain("the circuit of a key is isolated");
    }

    [Fact]
    public async Task A_new_viewer_gets_the_past_of_the_charts()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()));
        using Watch first = await desk.WatchAsync();
        await first.NextAsync();
        await desk.Pipeline("orders").ExecuteAsync(static _ => ValueTask.CompletedTask);
        await first.UntilAsync((name, data) => name == "state" && data.GetProperty("pipelines")[0].TryGetProperty("point", out JsonElement p)
            && p.GetProperty("calls").GetInt32() == 1);

        using Watch second = await desk.WatchAsync();
        JsonElement all = (await second.NextAsync())!.Value.Data;

        JsonElement history = all.GetProperty("history")[0];
        history.GetProperty("pipeline").GetString().Should().Be("p:orders");
        history.GetProperty("points").EnumerateArray().Sum(p => p.GetProperty("calls").GetInt32()).Should().Be(1);
    }

    [Fact]
    public async Task All_viewers_receive_one_reading()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()));
        using Watch first = await desk.WatchAsync(), second = await desk.WatchAsync();

        await second.NextAsync();
        JsonElement told = await second.UntilAsync((name, _) => name == "state");
        string at = told.GetProperty("at").GetString()!;

        JsonElement same = await first.UntilAsync((name, data) => name == "state" && data.GetProperty("at").GetString() == at);
        same.ToString().Should().Be(told.ToString());
    }

    [Fact]
    public async Task One_too_many_is_rejected_until_another_leaves()
    {
        await using Desk desk = await Desk.OpenAsync(options: o => o.MaxViewers = 1);
        using (Watch first = await desk.WatchAsync())
        {
            await first.NextAsync();
            (await desk.StatusAsync("/resilience/events")).Should().Be(HttpStatusCode.ServiceUnavailable);
        }

        // The server notices it when it writes next; each rejected try is such a wait.
        using CancellationTokenSource patience = new(Desk.Patience);
        while (await desk.StatusAsync("/resilience/events") != HttpStatusCode.OK) patience.Token.ThrowIfCancellationRequested();
    }

    [Fact]
    public async Task Without_history_nothing_is_listened_to_unless_there_is_a_viewer()
    {
        Ears ears = new();
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddPolicy(new EarsOptions(), e => ears.In(e))),
            o => o.KeepHistory = false);
        desk.Pipeline("orders");
        Counter<long> counter = desk.Services.GetRequiredService<IMeterFactory>().Create(ResilienceTelemetry.MeterName).CreateCounter<long>("resilience.probe");
        (counter.Enabled, ears.Environment!.IsObserved()).Should().Be((false, false), "there is no viewer");
        await desk.SnapshotAsync();
        (counter.Enabled, ears.Environment.IsObserved()).Should().Be((false, false), "a single reading listens to nothing");

        using (Watch watch = await desk.WatchAsync())
        {
            await watch.NextAsync();
            (counter.Enabled, ears.Environment.IsObserved()).Should().Be((true, true), "there is a viewer");
        }

        using CancellationTokenSource patience = new(Desk.Patience);
        while (counter.Enabled || ears.Environment.IsObserved())
        {
            patience.Token.ThrowIfCancellationRequested();
            await desk.SnapshotAsync(); // a turn of the server, which finds out that the viewer has left
        }
    }

    [Fact]
    public async Task Viewers_that_come_and_go_at_once_leave_nothing_behind()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()),
            o => (o.MaxViewers, o.MaxViewersPerClient, o.KeepHistory) = (100, 100, false));
        Counter<long> counter = desk.Services.GetRequiredService<IMeterFactory>().Create(ResilienceTelemetry.MeterName).CreateCounter<long>("resilience.probe");

        await Parallel.ForAsync(0, 60, new ParallelOptions { MaxDegreeOfParallelism = 12 }, async (i, _) =>
        {
            using Watch watch = await desk.WatchAsync();
            if (i % 3 > 0) (await watch.NextAsync())!.Value.Event.Should().Be("all", "whenever the viewer comes");
        });

        using CancellationTokenSource patience = new(Desk.Patience);
        while (counter.Enabled)
        {
            patience.Token.ThrowIfCancellationRequested();
            await desk.SnapshotAsync();
        }

        using Watch last = await desk.WatchAsync();
        JsonElement state = await last.UntilAsync((name, _) => name == "state");
        state.GetProperty("viewers").GetInt32().Should().Be(1);
    }

    [Fact]
    public async Task The_first_viewer_sees_what_was_measured_before()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)));
        await desk.Pipeline("orders").ExecuteAsync(static _ => ValueTask.CompletedTask);
        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 3); // one failure opens the circuit, two are rejected

        JsonElement history = default, snapshot = default;
        using CancellationTokenSource patience = new(Desk.Patience);
        while (history.ValueKind == JsonValueKind.Undefined)
        {
            patience.Token.ThrowIfCancellationRequested();
            snapshot = await desk.SnapshotAsync();

            // All four: on a busy machine they may fall into two intervals, of which one is not over yet.
            history = snapshot.GetProperty("history").EnumerateArray()
                .FirstOrDefault(h => h.GetProperty("points").EnumerateArray().Sum(p => p.GetProperty("calls").GetInt32()) >= 4);
        }

        int Sum(string what) => history.GetProperty("points").EnumerateArray().Sum(p => p.GetProperty(what).GetInt32());
        (Sum("calls"), Sum("failures"), Sum("rejections")).Should().Be((4, 1, 2));
        snapshot.GetProperty("layout").TryGetProperty("measuredSince", out _).Should().BeTrue();
        snapshot.GetProperty("state").GetProperty("pipelines")[0].GetProperty("times").GetProperty("minute").GetProperty("p99").GetDouble()
            .Should().BePositive();

        using Watch watch = await desk.WatchAsync();
        JsonElement all = (await watch.NextAsync())!.Value.Data;
        all.GetProperty("history")[0].GetProperty("points").EnumerateArray().Sum(p => p.GetProperty("calls").GetInt32()).Should().Be(4);
        all.GetProperty("state").GetProperty("pipelines")[0].GetProperty("times").GetProperty("minute").GetProperty("p99").GetDouble()
            .Should().BePositive("the table does not wait for the next interval");
        all.GetProperty("state").GetProperty("pipelines")[0].GetProperty("policies")[0].GetProperty("counts").EnumerateArray()
            .Should().Contain(c => c.GetProperty("what").GetString() == "circuit_breaker.rejections" && c.GetProperty("count").GetInt64() == 2);
    }

    [Fact]
    public async Task A_host_that_has_stopped_measures_nothing_any_more()
    {
        Counter<long> counter;
        await using (Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker())))
        {
            counter = desk.Services.GetRequiredService<IMeterFactory>().Create(ResilienceTelemetry.MeterName).CreateCounter<long>("resilience.probe");
            counter.Enabled.Should().BeTrue("the host has started");
        }

        counter.Enabled.Should().BeFalse();
    }

    [Fact]
    public async Task A_page_that_is_locked_measures_nothing()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker()), environment: "Production");
        await desk.StatusAsync("/resilience");
        desk.Services.GetRequiredService<IMeterFactory>().Create(ResilienceTelemetry.MeterName).CreateCounter<long>("resilience.probe")
            .Enabled.Should().BeFalse();
    }

    [Fact]
    public void A_series_keeps_300_intervals_and_is_forgotten_when_all_of_them_were_quiet()
    {
        DashboardSeries series = new(TimeSpan.FromSeconds(1));
        for (int i = 0; i < 310; i++)
        {
            series.Call(0.1, "success");
            series.Close();
        }

        series.Points.Should().HaveCount(300).And.OnlyContain(p => p.Calls == 1 && p.P50 != null);
        series.Times().FiveMinutes!.P50.Should().BeInRange(90, 110);
        for (int i = 0; i < 60; i++) series.Close();
        series.Times().Minute.Should().BeNull("no call ended in it");
        series.Times().FiveMinutes.Should().NotBeNull();
        series.IsForgotten.Should().BeFalse();
        for (int i = 0; i < 240; i++) series.Close();
        series.IsForgotten.Should().BeTrue();
        series.Times().FiveMinutes.Should().BeNull();
    }

    [Fact]
    public void A_reading_is_of_one_moment_even_if_an_interval_ends_meanwhile()
    {
        using DashboardHistory history = new(null, TimeSpan.FromSeconds(1), new RealTime { HasPeriodicTimers = false });
        using Meter meter = new(ResilienceTelemetry.MeterName);
        Histogram<double> duration = meter.CreateHistogram<double>("resilience.call.duration");
        foreach (string pipeline in (string[])["first", "second"])
            duration.Record(0.1, new("resilience.pipeline", pipeline), new("resilience.verdict", "success"));
        history.Advance();
        Thread next = new(history.Advance);

        MeasuredNow read = history.Read(Names(), withPoints: true);

        next.Join();
        (read.Tick, read.Series["first"].Points!.Count, read.Series["second"].Points!.Count).Should().Be((1, 1, 1));
        history.Tick.Should().Be(2, "the interval ended after the reading");

        IEnumerable<string> Names()
        {
            yield return "first";
            next.Start();
            // it waits for the reading, or has torn it
            SpinWait.SpinUntil(() => (next.ThreadState & (System.Threading.ThreadState.WaitSleepJoin | System.Threading.ThreadState.Stopped)) != 0);
            yield return "second";
        }
    }

    [Fact]
    public async Task A_rejection_carries_the_trace_of_its_call()
    {
        using ActivitySource source = new("resilience.tests.trace");
        using ActivityListener listener = new() { ShouldListenTo = s => s == source, Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData };
        ActivitySource.AddActivityListener(listener);
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)));
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();

        string trace;
        using (Activity call = source.StartActivity("call")!)
        {
            trace = call.TraceId.ToString();
            await SnapshotTests.FailAsync(desk.Pipeline("orders"), 2);
        }

        JsonElement[] entries = [];
        await watch.UntilAsync((name, data) =>
        {
            entries = [.. entries, .. Entries(name, data)];
            return entries.Any(e => e.GetProperty("kind").GetString() == "rejection");
        });
        entries.Should().OnlyContain(e => e.GetProperty("traceId").GetString() == trace);
    }

    [Theory]
    [InlineData("https://traces.example.org/")]
    [InlineData("javascript:alert('{traceId}')")]
    [InlineData("/trace/{traceId}")]
    public async Task An_address_for_traces_that_is_none_is_rejected(string address) =>
        await FluentActions.Awaiting(() => Desk.OpenAsync(options: o => o.TraceUrl = address)).Should().ThrowAsync<ResilienceOptionsException>()
            .WithMessage("*TraceUrl*{traceId}*");

    [Fact]
    public async Task Changes_of_circuits_are_remembered_without_a_viewer()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)), o => o.MaxRecent = 10);
        CircuitBreaker heart = desk.Pipeline("orders").Find<CircuitBreaker>()!;
        for (int i = 0; i < 8; i++)
        {
            heart.Isolate();
            heart.Close();
        }

        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 3);
        JsonElement[] recent = [.. (await desk.SnapshotAsync()).GetProperty("state").GetProperty("recent").EnumerateArray()];

        recent.Should().HaveCount(10, "the memory is bounded");
        recent[^2].GetProperty("to").GetString().Should().Be("open");
        recent[^1].GetProperty("count").GetInt64().Should().Be(2, "two calls were rejected");
        recent.Select(r => r.GetProperty("number").GetInt64()).Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
    }

    [Fact]
    public async Task A_pipeline_that_is_made_meanwhile_appears()
    {
        await using Desk desk = await Desk.OpenAsync(services: s => s.AddHttpClient("payments").AddStandardResilience());
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();

        desk.Services.GetRequiredService<HttpResilienceProvider>().GetResilience("payments").For(new("https://pay.example.org"));

        JsonElement layout = await watch.UntilAsync((name, _) => name == "layout");
        layout.GetProperty("pipelines").EnumerateArray().Select(p => p.GetProperty("name").GetString()).Should().Equal("payments/https://pay.example.org");
    }

    [Fact]
    public async Task A_stream_ends_when_the_application_stops()
    {
        await using Desk desk = await Desk.OpenAsync();
        using Watch watch = await desk.WatchAsync();
        await watch.NextAsync();

        await desk.StopAsync().WaitAsync(Desk.Patience); // the host would wait ten minutes for the stream

        while (await watch.NextAsync() is not null)
        {
        }
    }

    [Fact]
    public void A_viewer_that_is_too_slow_receives_everything_again()
    {
        DashboardViewer viewer = new("viewer", mayAct: false);
        DashboardMessage message = new("state", "{}"u8.ToArray());

        int told = 0;
        while (viewer.TryTell(message)) (++told).Should().BeLessThan(100, "what waits for a viewer is bounded");

        told.Should().Be(8);
        viewer.NeedsAll.Should().BeTrue();
    }

    [Theory]
    [InlineData(0.0001)]
    [InlineData(0.00123)]
    [InlineData(0.042)]
    [InlineData(0.9)]
    [InlineData(61)]
    public void Quantiles_are_off_by_at_most_a_tenth(double seconds)
    {
        LatencySketch sketch = new();
        for (int i = 1; i <= 1000; i++) sketch.Record(seconds * i / 1000 + seconds);

        LatencyQuantiles quantiles = sketch.Take()!.Quantiles()!;

        ((double)quantiles.P50).Should().BeApproximately(seconds * 1500, seconds * 150);
        ((double)quantiles.P95).Should().BeApproximately(seconds * 1950, seconds * 195);
        ((double)quantiles.P99).Should().BeApproximately(seconds * 1990, seconds * 199);
        sketch.Take().Should().BeNull("it was taken");
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e300)]
    public void Odd_times_are_counted_at_the_ends(double seconds)
    {
        LatencySketch sketch = new();
        sketch.Record(seconds);
        sketch.Take()!.Quantiles().Should().NotBeNull();
    }

    /// <summary>What a message says of what happened. On a busy machine a viewer may be behind, and is then told everything again.</summary>
    private static IEnumerable<JsonElement> Entries(string name, JsonElement data) => name switch
    {
        "state" => data.GetProperty("recent").EnumerateArray(),
        "all" => data.GetProperty("state").GetProperty("recent").EnumerateArray(),
        _ => [],
    };

    /// <summary>Keeps the environment of a policy, which knows whether anything listens.</summary>
    internal sealed class Ears : SimplePolicy
    {
        internal PolicyEnvironment? Environment { get; private set; }

        internal Ears In(PolicyEnvironment environment)
        {
            Environment = environment;
            return this;
        }

        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context) => next.ExecuteAsync(context);
    }

    internal sealed class EarsOptions : PolicyOptions
    {
        protected override string Kind => "ears";

        protected override void Check(OptionsCheck check)
        {
        }
    }
}
