using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests;

/// <summary>A clock that is moved by hand, tells of everything that is asked of it, and throws or answers otherwise where the test says so.</summary>
internal sealed class WatchedTime : FakeTimeProvider
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Channel<TimeSpan> _made = Channel.CreateUnbounded<TimeSpan>();
    private int _timers;
    private int _living;

    public WatchedTime()
    {
    }

    public WatchedTime(DateTimeOffset start)
        : base(start)
    {
    }

    /// <summary>Called with each use before it happens, for disposing after it. What it throws, the clock throws.</summary>
    public Action<TimeUse>? Using { get; init; }

    /// <summary>When a timer really fires, by when it was asked to.</summary>
    public Func<TimeSpan, TimeSpan>? FiresAt { get; init; }

    /// <summary>Called when a timer has been made, with its time.</summary>
    public Action<TimeSpan>? Made { get; set; }

    /// <summary>How far the wall clock has been set apart. The timestamp knows nothing of it.</summary>
    public TimeSpan WallClockStep { get; set; }

    /// <summary>Timers made so far.</summary>
    public int Timers => Volatile.Read(ref _timers);

    /// <summary>Timers made and not disposed of.</summary>
    public int Living => Volatile.Read(ref _living);

    public override long GetTimestamp()
    {
        Using?.Invoke(TimeUse.Timestamp);
        return base.GetUtcNow().UtcTicks;
    }

    public override DateTimeOffset GetUtcNow()
    {
        Using?.Invoke(TimeUse.TimeOfDay);
        return base.GetUtcNow() + WallClockStep;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Using?.Invoke(TimeUse.TimerMade);
        TimeSpan fires = FiresAt?.Invoke(dueTime) ?? dueTime;
        Timer timer = new(base.CreateTimer(callback, state, fires, period), this);
        Interlocked.Increment(ref _timers);
        Interlocked.Increment(ref _living);
        _made.Writer.TryWrite(fires);
        Made?.Invoke(dueTime);
        return timer;
    }

    /// <summary>Waits for the next timer that was not waited for yet, and returns its time.</summary>
    public async Task<TimeSpan> NextTimerAsync() => await _made.Reader.ReadAsync().AsTask().WaitAsync(Patience);

    /// <summary>Ends when a timer is made from now on: any, or one of that time.</summary>
    public Task NewTimerAsync(TimeSpan? of = null)
    {
        TaskCompletionSource made = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Made += due =>
        {
            if (of is null || of == due) made.TrySetResult();
        };
        return made.Task;
    }

    /// <summary>Waits for the next timer, then lets this time pass.</summary>
    public async Task PassAsync(TimeSpan span)
    {
        await NextTimerAsync();
        Advance(span);
    }

    /// <summary>Lets time pass for the call, timer by timer, until it ends; returns the waits too.</summary>
    public async Task<(Outcome<T> Outcome, TimeSpan[] Waits)> DriveAsync<T>(ValueTask<Outcome<T>> call)
    {
        Task<Outcome<T>> outcome = call.AsTask();
        List<TimeSpan> waits = [];
        while (true)
        {
            Task<bool> made = _made.Reader.WaitToReadAsync().AsTask();
            await Task.WhenAny(outcome, made);
            if (!_made.Reader.TryRead(out TimeSpan wait)) return (await outcome, [.. waits]);
            waits.Add(wait);
            Advance(wait);
        }
    }

    private sealed class Timer(ITimer timer, WatchedTime owner) : ITimer
    {
        private int _isDisposed;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            owner.Using?.Invoke(TimeUse.TimerChanged);
            return timer.Change(dueTime, period);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isDisposed, 1) == 0) Interlocked.Decrement(ref owner._living);
            timer.Dispose();
            owner.Using?.Invoke(TimeUse.TimerDisposed);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
