using Resilience.Testing;

namespace Resilience.Tests.Simulations;

/// <summary>A simulation whose calls go to the thread pool: it can only be as exact as the pool is free, so nothing else runs beside it.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class SimulationThreadsTests
{
    [Fact]
    public async Task Steps_on_other_threads_are_waited_for_before_time_moves_on()
    {
        Simulation world = new(9);
        int wrong = 0;
        world.AddArrivals("hop", 100, async _ =>
        {
            TimeSpan before = world.Time.Elapsed;
            await Task.Run(() => Thread.SpinWait(2000), CancellationToken.None);
            if (world.Time.Elapsed != before) Interlocked.Increment(ref wrong);
        });
        SimulationReport report = await world.RunAsync(TimeSpan.FromSeconds(20));
        report.Stuck.Should().Be(0);
        report.IsExact.Should().BeFalse();
        wrong.Should().BeLessThan(
            (int)report.Started / 2, "a busy machine that stops a thread between taking a step and beginning it lets some pass; if nothing were waited for, nearly all would");
    }
}
