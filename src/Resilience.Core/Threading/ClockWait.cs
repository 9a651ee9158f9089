namespace Resilience;

/// <summary>A wait on a clock. It ends when its time is up, or its token is cancelled, or another task has ended, whichever is first, and never
/// throws.</summary>
/// <remarks>
/// <para>
/// What waits for it goes on where it ends: on the system's time on a worker of the <see cref="Dispatcher"/>, which can be replaced, and on a
/// user's time where that fires its timers. Never inside of a cancellation, which belongs to the thread that cancels: that one is only told.
/// </para>
/// <para><see cref="Task.Delay(TimeSpan, TimeProvider, CancellationToken)"/> goes on behind everything that is queued in the pool when it is cancelled.</para>
/// </remarks>
internal sealed class ClockWait : TaskCompletionSource, IThreadPoolWorkItem
{
    private readonly Clock _clock;
    private ITimer? _timer;
    private CancellationTokenRegistration _cancelled;
    private int _isOver;

    private ClockWait(Clock clock) => _clock = clock;

    internal static Task ForAsync(Clock clock, TimeSpan time, CancellationToken cancellationToken)
    {
        if (time <= TimeSpan.Zero || cancellationToken.IsCancellationRequested) return Task.CompletedTask;
        ClockWait wait = new(clock);
        if (!wait.TryArm(time)) return Task.CompletedTask;
        if (cancellationToken.CanBeCanceled)
            wait._cancelled = cancellationToken.UnsafeRegister(static w => ((ClockWait)w!).Hear(), wait);
        return wait.Armed();
    }

    /// <summary>Ends when the time is up or the other task has ended, whichever is first, on the thread that ends it. The timer is gone before what waits
    /// goes on.</summary>
    internal static Task UntilAsync(Clock clock, TimeSpan time, Task other)
    {
        if (time <= TimeSpan.Zero || other.IsCompleted) return Task.CompletedTask;
        ClockWait wait = new(clock);
        if (!wait.TryArm(time)) return Task.CompletedTask;

        // Not as an awaiter does it, which goes to the pool where the thread that ends the task has a synchronization context.
        _ = other.ContinueWith(
            static (_, w) => ((ClockWait)w!).End(), wait, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return wait.Armed();
    }

    private bool TryArm(TimeSpan time)
    {
        try
        {
            // Timers count whole milliseconds and cut fractions off, so we round up.
            TimeSpan whole = TimeSpan.FromMilliseconds(Clock.ToMs(time));
            _timer = _clock.CreateTimer(static w => ((ClockWait)w!).End(), this, whole, Timeout.InfiniteTimeSpan);
            return true;
        }
        catch (Exception error)
        {
            Safely.Report("time provider", error); // a wait that no timer ends is over
            return false;
        }
    }

    private Task Armed()
    {
        // Full fence between the writes before and this look; pairs with the exchange in End. So either End finds the timer and the registration, or
        // we find that it has ended and let go of them.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isOver) != 0) LetGo();
        return Task;
    }

    /// <summary>Ends soon, on another stack.</summary>
    internal static Task HopAsync(Clock clock)
    {
        ClockWait hop = new(clock);
        clock.Post(hop);
        return hop.Task;
    }

    private void Hear() => _clock.Post(this);

    void IThreadPoolWorkItem.Execute() => End();

    private void End()
    {
        if (Interlocked.Exchange(ref _isOver, 1) != 0) return;
        LetGo();
        TrySetResult();
    }

    private void LetGo()
    {
        Safely.Dispose(_timer);
        _cancelled.Unregister(); // does not wait: the callback may be running
    }
}
