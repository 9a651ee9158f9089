using System.Diagnostics;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Resilience.Events;

namespace Resilience.AspNetCore.Tests;

/// <summary>What is kept while there is no viewer, and what that takes.</summary>
public sealed class KeptTests
{
    private static readonly CircuitBreakerOptions Touchy = new()
    {
        Name = "heart",
        ConsecutiveFailures = 1,
        BreakDuration = TimeSpan.FromHours(1),
        MaxBreakDuration = TimeSpan.FromHours(1),
    };

    [Fact]
    public async Task The_first_viewer_sees_the_rejections_before_with_their_trace_and_no_event_was_made_for_it()
    {
        StreamTests.Ears ears = new();
        await using Desk desk = await Desk.OpenAsync(
            b => b.AddPipeline("orders", p => p.AddPolicy(new StreamTests.EarsOptions(), e => ears.In(e)).AddCircuitBreaker(Touchy)));
        string trace;
        using (Activity call = new Activity("call").SetIdFormat(ActivityIdFormat.W3C).Start())
        {
            trace = call.TraceId.ToString();
            await SnapshotTests.FailAsync(desk.Pipeline("orders"), 1001); // the first opens the circuit
        }

        ears.Environment!.IsObserved().Should().BeFalse("there is no viewer");
        using Watch watch = await desk.WatchAsync();
        JsonElement[] recent = [.. (await watch.NextAsync())!.Value.Data.GetProperty("state").GetProperty("recent").EnumerateArray()];

        recent.Select(e => e.GetProperty("kind").GetString()).Should().Equal("transition", "rejection");
        recent[1].GetProperty("count").GetInt64().Should().Be(1000);
        recent[1].GetProperty("traceId").GetString().Should().Be(trace);
        recent[1].GetProperty("text").GetString().Should().Contain("because a call failed");
    }

    [Fact]
    public async Task Rejections_before_the_first_viewer_are_not_kept_without_history()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)), o => o.KeepHistory = false);
        await SnapshotTests.FailAsync(desk.Pipeline("orders"), 5);
        using Watch watch = await desk.WatchAsync();
        (await watch.NextAsync())!.Value.Data.GetProperty("state").GetProperty("recent").EnumerateArray()
            .Select(e => e.GetProperty("kind").GetString()).Should().Equal("transition");
    }

    [Fact]
    public async Task A_storm_of_rejections_is_gathered_without_memory_for_each()
    {
        await using Desk desk = await Desk.OpenAsync(b => b.AddPipeline("orders", p => p.AddCircuitBreaker(Touchy)), o => o.KeepHistory = false);
        List<ResilienceEvent> heard = [];
        using (desk.Services.GetRequiredService<ResilienceEvents>().Subscribe(heard.Add)) await SnapshotTests.FailAsync(desk.Pipeline("orders"), 2);
        ResilienceEvent rejected = heard.OfType<CircuitRejected>().Single();
        DashboardRecent recent = new(200, true, TimeProvider.System);
        recent.Gather(rejected);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++) recent.Gather(rejected);
        long bytes = GC.GetAllocatedBytesForCurrentThread() - before;

        bytes.Should().BeLessThan(1_000, "the first of an interval stands for all of them, and what is made once is made once");
        recent.Flush();
        recent.Since(0).Should().ContainSingle().Which.Count.Should().Be(10_001);
    }

    [Fact]
    public void Each_rejection_is_in_one_entry_however_many_gather_and_flush_at_once()
    {
        DashboardRecent recent = new(200, true, TimeProvider.System);
        CircuitRejected rejected = new("orders", "heart", CircuitAdmission.RejectedOpen, null);
        const int Each = 20_000;
        using CancellationTokenSource end = new();
        Thread[] flushes = [.. Enumerable.Range(0, 2).Select(_ => new Thread(() =>
        {
            while (!end.IsCancellationRequested) recent.Flush();
        }))];
        foreach (Thread one in flushes) one.Start();

        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < Each; i++) recent.Gather(rejected);
        });

        end.Cancel();
        foreach (Thread one in flushes) one.Join();
        recent.Gather(rejected);
        recent.Flush();
        recent.Since(0).Should().ContainSingle().Which.Count.Should().Be((4 * Each) + 1);
    }

    /// <summary>The numbers of docs/live-page.md.</summary>
    [Fact]
    public void A_full_series_takes_the_bytes_that_the_document_says()
    {
        const int Series = 200;
        const int Intervals = DashboardSeries.Kept;
        Full(); // what is made once
        long before = GC.GetAllocatedBytesForCurrentThread();
        DashboardSeries series = Full();
        long all = GC.GetAllocatedBytesForCurrentThread() - before;
        GC.KeepAlive(series);

        // Each interval leaves a sketch and its percentiles behind: garbage, which is not kept.
        LatencySketch sketch = new();
        sketch.Record(0.1);
        before = GC.GetAllocatedBytesForCurrentThread();
        GC.KeepAlive(sketch.Take()!.Quantiles());
        long garbage = GC.GetAllocatedBytesForCurrentThread() - before;

        double kilobytes = (all - (Intervals * garbage)) / 1000.0;
        string measured = FormattableString.Invariant($"{kilobytes:0} kB for a pipeline and {kilobytes * Series / 1000:0.0} MB at most");
        string document = File.ReadAllText(Path.Combine(Repository.Root, "docs", "live-page.md"));
        document.Contains(measured, StringComparison.Ordinal).Should().BeTrue("docs/live-page.md says: {0} ({1} bytes)", measured, kilobytes * 1000);

        static DashboardSeries Full()
        {
            DashboardSeries full = new(TimeSpan.FromSeconds(1));
            for (int i = 0; i < Intervals; i++)
            {
                full.Call(0.1, "success");
                full.Close();
            }

            return full;
        }
    }
}
