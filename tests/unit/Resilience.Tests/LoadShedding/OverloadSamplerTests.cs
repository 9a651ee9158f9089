using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.LoadShedding;

/// <summary>What the signals show of a process that does as it is told.</summary>
public sealed class OverloadSamplerTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly TestReadings _readings = new();

    private OverloadSampler Make(Action<LoadShedderOptions>? configure = null)
    {
        LoadShedderOptions options = new() { Cpu = null, Memory = null, ThreadPoolDelay = null };
        configure?.Invoke(options);
        return new(options, Clock.For(_time), _readings, static _ => { });
    }

    private void Tick(int times = 1)
    {
        for (int i = 0; i < times; i++) _time.Advance(OverloadSampler.Interval);
    }

    [Fact]
    public void Processors_are_busy_by_the_time_that_was_used_of_all_of_them()
    {
        _readings.Count = 4;
        using OverloadSampler sampler = Make(o => o.Cpu = new(0.8, 0.95));
        for (int i = 0; i < 100; i++)
        {
            _readings.Used += OverloadSampler.Interval * 4 * 0.875;
            Tick();
        }

        sampler.Level.Should().Match<OverloadLevel>(l => l.Reason == ShedReason.Cpu && l.Signal == "cpu");
        sampler.Level.Level.Should().BeApproximately(0.5, 1e-6);
        Tick(30);
        sampler.Level.Should().Be(OverloadLevel.None, "it is idle again");
    }

    [Fact]
    public void One_busy_reading_is_smoothed()
    {
        using OverloadSampler sampler = Make(o => o.Cpu = new(0.8, 0.95));
        Tick(10);
        _readings.Used += OverloadSampler.Interval;
        Tick();
        sampler.Sources[0].Value.Should().BeApproximately(0.3, 1e-9);
        sampler.Level.Level.Should().Be(0);
    }

    [Fact]
    public void Work_that_waits_for_the_pool_counts_before_it_has_run()
    {
        using OverloadSampler sampler = Make(o => o.ThreadPoolDelay = new(20, 200));
        Tick(5);
        sampler.Level.Level.Should().Be(0);
        _readings.HoldsWork = true;
        Tick(21);
        sampler.Level.Reason.Should().Be(ShedReason.ThreadPool);
        sampler.Level.Level.Should().Be(1, "the piece of work that was sent has waited for two seconds");
        _readings.Release();
        Tick(10);
        sampler.Level.Level.Should().Be(0);
    }

    [Fact]
    public void A_pool_in_which_not_even_the_readings_run_is_overloaded()
    {
        HeldTimers held = new();
        LoadShedderOptions options = new() { Cpu = null, Memory = null, ThreadPoolDelay = new(20, 200) };
        using OverloadSampler sampler = new(options, Clock.For(held), _readings, static _ => { });
        held.Advance(TimeSpan.FromMilliseconds(110));
        sampler.Level.Level.Should().Be(0);
        held.Advance(TimeSpan.FromMilliseconds(100));
        sampler.Level.Level.Should().BeApproximately(0.5, 1e-9, "the reading is overdue by 110 ms");
        using OverloadSampler unasked = new(new() { Cpu = null, Memory = null, ThreadPoolDelay = null }, Clock.For(held), _readings, static _ => { });
        held.Advance(TimeSpan.FromSeconds(10));
        unasked.Level.Level.Should().Be(0, "the pool is not looked at");
    }

    [Fact]
    public void The_greatest_level_counts_and_says_what_it_is_of()
    {
        double depth = 0;
        _readings.Memory = 0.95;
        using OverloadSampler sampler = Make(o =>
        {
            o.Memory = new(0.9, 1);
            o.Signals.Add(new("queue-depth", () => depth, new(100, 200)) { Smoothing = 1 });
        });
        Tick();
        sampler.Level.Should().Match<OverloadLevel>(l => l.Reason == ShedReason.Memory && l.Value == 0.95);
        depth = 190;
        Tick();
        sampler.Level.Should().Match<OverloadLevel>(l => l.Reason == ShedReason.Signal && l.Signal == "queue-depth" && l.Level == 0.9);
    }

    [Fact]
    public void A_signal_that_throws_or_says_nonsense_keeps_its_value()
    {
        Queue<Func<double>> answers = new(
            [() => 150, () => throw new InvalidOperationException("planted"), () => double.NaN, () => double.PositiveInfinity, () => 100]);
        using OverloadSampler sampler = Make(o => o.Signals.Add(new("pool", () => answers.Dequeue()(), new(100, 200)) { Smoothing = 1 }));
        Tick();
        sampler.Level.Level.Should().Be(0.5);
        for (int i = 0; i < 3; i++)
        {
            Tick();
            sampler.Level.Level.Should().Be(0.5);
        }

        Tick();
        sampler.Level.Level.Should().Be(0);
    }

    [Fact]
    public void After_its_end_it_reads_nothing()
    {
        int readings = 0;
        OverloadSampler sampler = Make(o => o.Signals.Add(new("pool", () => ++readings, new(100, 200))));
        Tick(3);
        readings.Should().Be(3);
        sampler.Dispose();
        Tick(3);
        readings.Should().Be(3);
    }
}
