using Resilience.Testing;

namespace Resilience.Tests.Simulations;

/// <summary>Code that leaves the thread of a simulation: time waits for it. The pool must come to rest for that, so nothing else runs meanwhile.</summary>
[Collection(ThreadsCollection.Name)]
public sealed class SimulationThreadsTests
{
    private static readonly Dictionary<string, Func<Task>> Ways = new()
    {
        ["Task.Run"] = static () => Task.Run(static () => Thread.SpinWait(2000)),
        ["Task.Run, often"] = static async () =>
        {
            for (int i = 0; i < 5; i++) await Task.Run(static () => Thread.SpinWait(500)).ConfigureAwait(false);
        },
        ["Task.Yield"] = static async () => await Task.Yield(),
        ["a queued item without a context"] = static () =>
        {
            TaskCompletionSource done = new();
            ThreadPool.UnsafeQueueUserWorkItem(static done =>
            {
                Thread.SpinWait(2000);
                ThreadPool.UnsafeQueueUserWorkItem(static done => done.SetResult(), done, preferLocal: false);
            }, done, preferLocal: true);
            return done.Task;
        },
        ["a continuation that runs asynchronously"] = static () =>
        {
            TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Task waits = Wait(done.Task);
            done.SetResult();
            return waits;

            static async Task Wait(Task task) => await task.ConfigureAwait(false);
        },
    };

    public static TheoryData<string> Names => [.. Ways.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Steps_on_other_threads_are_waited_for_before_time_moves_on(string way)
    {
        Simulation world = new(9);
        int wrong = 0;
        world.AddArrivals("hop", 100, async _ =>
        {
            TimeSpan before = world.Time.Elapsed;
            await Ways[way]().ConfigureAwait(false);
            if (world.Time.Elapsed != before) Interlocked.Increment(ref wrong);
        });
        SimulationReport report = await world.RunAsync(TimeSpan.FromSeconds(5));
        report.Started.Should().BeGreaterThan(300);
        report.Stuck.Should().Be(0);
        report.IsExact.Should().BeFalse();
        wrong.Should().Be(0);
    }

    [Fact]
    public async Task A_step_that_does_not_come_back_ends_the_run_with_an_error_and_time_does_not_move()
    {
        Simulation world = new(9) { Watchdog = TimeSpan.FromMilliseconds(200) };
        using ManualResetEventSlim letGo = new();
        TimeSpan moment = TimeSpan.FromSeconds(3);
        world.At(moment, () => _ = Task.Run(() => letGo.Wait(TimeSpan.FromMinutes(1))));
        world.At(TimeSpan.FromSeconds(4), () => { });
        await world.Awaiting(w => w.RunAsync(TimeSpan.FromSeconds(20))).Should().ThrowAsync<InvalidOperationException>().WithMessage("*Time does not move on*");
        world.Time.Elapsed.Should().Be(moment);
        letGo.Set();
    }

    [Fact]
    public async Task One_step_in_the_pool_makes_the_report_inexact()
    {
        Simulation world = new(9);
        world.At(TimeSpan.FromSeconds(1), () => ThreadPool.UnsafeQueueUserWorkItem(static _ => { }, null));
        (await world.RunAsync(TimeSpan.FromSeconds(2))).IsExact.Should().BeFalse();
    }
}
