using Resilience.Extensibility;

namespace Resilience.Testing;

/// <summary>Time that moves only when the simulation moves it: from one timer to the next, without waiting. Hours pass in milliseconds.</summary>
/// <remarks>
/// <para>Timers that are due at the same instant fire in an order drawn from the seed, because no program may rely on one. The wall clock can be
/// stepped apart from the monotonic one, as administrators and time servers do.</para>
/// <para>Thread-safe. Callbacks run on the simulation's thread, in the execution context in which their timer was made.</para>
/// </remarks>
public sealed class VirtualTime : TimeProvider, IContinuationRunner
{
    private static readonly DateTimeOffset WallClockAtStart = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly Lock _gate = new(); // no callback runs under it
    private readonly PriorityQueue<(VirtualTimer Timer, long Arming), (long Due, double Tie)> _queue = new();
    private readonly Queue<IThreadPoolWorkItem> _continuations = new();
    private readonly Randomness _ties;
    private long _now;
    private long _wallOffset;
    private long _armings;
    private int _armed;

    internal VirtualTime(Randomness ties) => _ties = ties;

    /// <summary>Virtual time since the simulation began.</summary>
    public TimeSpan Elapsed => new(Volatile.Read(ref _now));

    /// <summary>Timers of policies and of your code that are set and have not fired. What is left after the
    /// last call has ended, the tested code forgot to dispose of.</summary>
    public int ArmedTimers => Volatile.Read(ref _armed);

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    /// <inheritdoc/>
    public override long GetTimestamp() => Volatile.Read(ref _now);

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => WallClockAtStart.AddTicks(Volatile.Read(ref _now) + Volatile.Read(ref _wallOffset));

    /// <summary>The wall clock is set, forwards or backwards. The monotonic clock and the timers know nothing of it.</summary>
    public void StepWallClock(TimeSpan by) => Interlocked.Add(ref _wallOffset, by.Ticks);

    /// <summary>Continuations of policies run on the simulation's thread, in the order in which they came, before time moves on.</summary>
    void IContinuationRunner.Enqueue(IThreadPoolWorkItem work)
    {
        lock (_gate) _continuations.Enqueue(work);
    }

    /// <summary>Runs what has been queued, and what that queues. False when there was nothing.</summary>
    internal bool TryRunContinuations()
    {
        for (bool any = false; ; any = true)
        {
            IThreadPoolWorkItem? next;
            lock (_gate)
            {
                if (!_continuations.TryDequeue(out next)) return any;
            }

            next.Execute();
        }
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ArgumentNullException.ThrowIfNull(callback);
        VirtualTimer timer = new(this, callback, state, isOfTheWorld: false);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>A timer of the simulation itself (load, scripts, requests being served): the tested code cannot have forgotten it.</summary>
    internal ITimer CreateWorldTimer(TimerCallback callback, TimeSpan due)
    {
        VirtualTimer timer = new(this, callback, null, isOfTheWorld: true);
        timer.Change(due, Timeout.InfiniteTimeSpan);
        return timer;
    }

    /// <summary>Moves to the next timer that is due by <paramref name="limit"/> and fires it. False when there is none.</summary>
    internal bool TryFireNext(TimeSpan limit)
    {
        VirtualTimer due;
        lock (_gate)
        {
            while (true)
            {
                if (!_queue.TryPeek(out (VirtualTimer Timer, long Arming) next, out (long Due, double Tie) at) || at.Due > limit.Ticks) return false;
                _queue.Dequeue();
                if (next.Timer.Arming != next.Arming) continue; // changed or disposed since
                Volatile.Write(ref _now, Math.Max(_now, at.Due));
                due = next.Timer;
                Rearm(due);
                break;
            }
        }

        due.Fire();
        return true;
    }

    internal void MoveTo(TimeSpan moment)
    {
        lock (_gate) Volatile.Write(ref _now, Math.Max(_now, moment.Ticks));
    }

    private void Rearm(VirtualTimer timer)
    {
        if (timer.Period > TimeSpan.Zero)
        {
            Arm(timer, timer.Period);
            return;
        }

        timer.Arming = 0;
        if (!timer.IsOfTheWorld) _armed--;
    }

    private void Arm(VirtualTimer timer, TimeSpan due)
    {
        timer.Arming = ++_armings;
        long at = due.Ticks > long.MaxValue - _now ? long.MaxValue : _now + Math.Max(0, due.Ticks);
        _queue.Enqueue((timer, timer.Arming), (at, _ties.NextDouble()));
    }

    private sealed class VirtualTimer(VirtualTime time, TimerCallback callback, object? state, bool isOfTheWorld) : ITimer
    {
        private readonly ExecutionContext? _context = isOfTheWorld ? null : ExecutionContext.Capture();
        private bool _isDisposed;

        internal long Arming; // 0: not armed

        internal TimeSpan Period { get; private set; }

        internal bool IsOfTheWorld => isOfTheWorld;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                if (_isDisposed) return false;
                Disarm();
                Period = period;
                if (dueTime == Timeout.InfiniteTimeSpan) return true;
                if (!isOfTheWorld) time._armed++;
                time.Arm(this, dueTime);
                return true;
            }
        }

        public void Dispose()
        {
            lock (time._gate)
            {
                _isDisposed = true;
                Disarm();
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        internal void Fire()
        {
            if (_context is null) callback(state);
            else ExecutionContext.Run(_context, s => callback(s), state);
        }

        private void Disarm()
        {
            if (Arming == 0) return;
            Arming = 0;
            if (!isOfTheWorld) time._armed--;
        }
    }
}
