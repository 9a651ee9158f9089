using System.Diagnostics.Metrics;
using Resilience.Tests.Allocation;

namespace Resilience.Tests.Hedging;

/// <summary>A delay that is measured: what counts, and what hedging must not do to it.</summary>
public sealed class MeasuredDelayTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WatchedTime _time = new();

    private static HedgingOptions Options(Action<HedgingOptions>? change = null)
    {
        HedgingOptions options = new() { Delay = TimeSpan.FromMilliseconds(400), DelayQuantile = 0.9, MinSamples = 10, Budget = RetryBudget.Unlimited };
        change?.Invoke(options);
        return options;
    }

    private MeasuredDelay New(Action<HedgingOptions>? change = null) => new(Options(change), Clock.For(_time), null);

    private void Pass() => _time.Advance(TimeSpan.FromSeconds(1));

    [Fact]
    public void Below_the_number_of_samples_the_delay_is_as_set_then_it_is_the_quantile_and_is_computed_once_a_second()
    {
        MeasuredDelay delay = New();
        delay.Ms.Should().Be(400);
        for (int i = 1; i <= 9; i++) delay.Answered(TimeSpan.FromMilliseconds(10 * i));
        Pass();
        delay.Ms.Should().Be(400, "nine are too few");
        delay.Answered(TimeSpan.FromMilliseconds(100));
        delay.Ms.Should().Be(400, "the answer is good for a second");
        Pass();
        delay.Ms.Should().BeInRange(87, 94);
    }

    [Theory]
    [InlineData(1000, 400)] // at most Delay
    [InlineData(2, 5)] // at least MinDelay
    public void It_stays_between_the_least_and_the_greatest(int tookMs, long expected)
    {
        MeasuredDelay delay = New(o => o.MinDelay = TimeSpan.FromMilliseconds(5));
        for (int i = 0; i < 20; i++) delay.Answered(TimeSpan.FromMilliseconds(tookMs));
        Pass();
        delay.Ms.Should().Be(expected);
    }

    [Fact]
    public void A_greatest_delay_of_its_own_takes_the_place_of_the_delay()
    {
        MeasuredDelay delay = New(o => o.MaxDelay = TimeSpan.FromSeconds(2));
        for (int i = 0; i < 20; i++) delay.Answered(TimeSpan.FromMilliseconds(1000));
        Pass();
        delay.Ms.Should().BeInRange(970, 1030);
    }

    [Fact]
    public void What_failed_before_the_delay_is_not_counted_and_what_lost_is_counted_as_slower_than_the_delay()
    {
        MeasuredDelay delay = New();
        delay.Cut(TimeSpan.FromMilliseconds(1), 400);
        delay.Latencies.Count(0).Should().Be(0);
        delay.Cut(TimeSpan.FromMilliseconds(401), 400);
        delay.Latencies.Count(0).Should().Be(1);
        delay.Lost(TimeSpan.FromMilliseconds(1), 400); // a coarse clock may say so
        delay.Latencies.Quantile(0.1, 0).Should().BeGreaterThan(390 * TimeSpan.TicksPerMillisecond);
    }

    /// <summary>What is done with a first attempt that loses to its hedge.</summary>
    public enum Losers
    {
        SlowerThanTheDelay,
        Forgotten,
    }

    /// <summary>Exponential latencies, 100 calls a second for five minutes; a hedge beside each first attempt that is slower than the delay. Answers with the
    /// share of hedged calls at last: 5 % is asked for. Where losers are forgotten, hedging makes its own delay shorter, and twice as many calls are
    /// hedged.</summary>
    [Theory]
    [InlineData(Losers.SlowerThanTheDelay, 0.04, 0.06)]
    [InlineData(Losers.Forgotten, 0.08, 0.12)] // p/2 of those counted are above the delay: p = 9.5 %
    public void The_share_of_hedged_calls_is_as_asked_because_losers_count(Losers losers, double least, double most)
    {
        MeasuredDelay delay = New(o => (o.DelayQuantile, o.MinSamples, o.Delay) = (0.95, 100, TimeSpan.FromSeconds(5)));
        Randomness randomness = Randomness.Seeded(11);
        int hedged = 0, counted = 0;
        for (int second = 0; second < 300; second++, Pass())
        {
            for (int call = 0; call < 100; call++)
            {
                double firstMs = -Math.Log(1 - randomness.NextDouble()) * 200, delayMs = delay.Ms;
                double hedgeMs = delayMs - (Math.Log(1 - randomness.NextDouble()) * 200);
                bool isHedged = firstMs > delayMs, isLost = isHedged && hedgeMs < firstMs;
                if (second >= 120) (hedged, counted) = (hedged + (isHedged ? 1 : 0), counted + 1);
                if (!isLost) delay.Answered(TimeSpan.FromMilliseconds(firstMs));
                else if (losers == Losers.SlowerThanTheDelay) delay.Lost(TimeSpan.FromMilliseconds(delayMs), (long)delayMs);
            }
        }

        ((double)hedged / counted).Should().BeInRange(least, most);
    }

    private static async Task<Outcome<int>> CallAsync(ResiliencePipeline pipeline, WatchedTime time, TimeSpan takes)
    {
        Attempts<int> attempts = new();
        Task<Outcome<int>> call = pipeline.TryExecuteAsync(attempts.RunAsync).AsTask();
        Attempts<int>.One first = await attempts.NextAsync();
        time.Advance(takes);
        if (takes == TimeSpan.FromMilliseconds(400)) (await attempts.NextAsync()).Result.SetResult(2);
        else first.Result.SetResult(1);
        return await call.WaitAsync(Patience);
    }

    private RotatingHistogram LatenciesOf(ResiliencePipeline pipeline, string name = "hedging") =>
        ((HedgingPolicy)pipeline.Parts.Find(name)!).Measured!.Latencies;

    [Fact]
    public async Task A_race_counts_its_first_attempt_once_whether_it_wins_or_loses_and_no_hedge()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = _time }.AddHedging(Options()).Build();
        (await CallAsync(pipeline, _time, TimeSpan.FromMilliseconds(30))).Value.Should().Be(1);
        LatenciesOf(pipeline).Count(0).Should().Be(1);
        (await CallAsync(pipeline, _time, TimeSpan.FromMilliseconds(400))).Value.Should().Be(2, "the hedge won");
        LatenciesOf(pipeline).Count(0).Should().Be(2);
        LatenciesOf(pipeline).Quantile(0.9, 0).Should().BeGreaterThan(390 * TimeSpan.TicksPerMillisecond);
        (await pipeline.TryExecuteAsync<int>(_ => throw new IOException())).Verdict.Should().Be(Verdict.Failure);
        LatenciesOf(pipeline).Count(0).Should().Be(2, "a failure is not a fast answer");
    }

    [Fact]
    public async Task An_update_keeps_what_was_measured()
    {
        ResiliencePipelineBuilder Builder(double quantile) =>
            new ResiliencePipelineBuilder { TimeProvider = _time }.AddHedging(Options(o => o.DelayQuantile = quantile));
        ResiliencePipeline pipeline = Builder(0.9).Build();
        await CallAsync(pipeline, _time, TimeSpan.FromMilliseconds(30));
        RotatingHistogram before = LatenciesOf(pipeline);
        pipeline.Update(Builder(0.95));
        LatenciesOf(pipeline).Should().BeSameAs(before);
    }

    [Fact]
    public void A_first_attempt_that_answers_at_once_is_counted_and_allocates_nothing()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddHedging(o => o.DelayQuantile = 0.95).Build();
        Allocated.BytesPerRun(() =>
        {
            if (!pipeline.ExecuteAsync(static (state, _) => new ValueTask<int>(state), 42).IsCompletedSuccessfully) throw new InvalidOperationException();
        }).Should().Be(0);
        LatenciesOf(pipeline).Count(0).Should().BePositive();
    }

    [Fact]
    public void The_gauge_shows_the_delay_of_policies_that_measure_it()
    {
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { Name = "measured gauge", TimeProvider = _time }.AddHedging(Options()).Build();
        List<(double Seconds, string? Policy)> seen = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "resilience.hedge.delay") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) =>
        {
            KeyValuePair<string, object?>[] all = tags.ToArray();
            if (all.Any(t => t.Value is "measured gauge")) seen.Add((value, all.First(t => t.Key == ResilienceTelemetry.PolicyTag).Value as string));
        });
        listener.Start();
        listener.RecordObservableInstruments();
        seen.Should().Equal((0.4, "hedging"));
        pipeline.Update(new ResiliencePipelineBuilder { Name = "measured gauge", TimeProvider = _time });
        seen.Clear();
        listener.RecordObservableInstruments();
        seen.Should().BeEmpty();
    }

    [Theory]
    [InlineData(0.4, 1, null, 400, "DelayQuantile")]
    [InlineData(1.0, 1, null, 400, "DelayQuantile")]
    [InlineData(0.9, 0, null, 400, "MinDelay")]
    [InlineData(0.9, 50, 20, 400, "MaxDelay")]
    [InlineData(0.9, 50, null, 20, "Delay")]
    public void Options_that_cannot_work_are_named(double quantile, int minMs, int? maxMs, int delayMs, string option)
    {
        Action build = () => new ResiliencePipelineBuilder().AddHedging(Options(o =>
        {
            o.DelayQuantile = quantile;
            o.MinDelay = TimeSpan.FromMilliseconds(minMs);
            o.MaxDelay = maxMs is { } max ? TimeSpan.FromMilliseconds(max) : null;
            o.Delay = TimeSpan.FromMilliseconds(delayMs);
        })).Build();
        build.Should().Throw<ResilienceOptionsException>().Which.Problems.Select(p => p.Option).Should().Equal(option);
    }
}
