using Resilience.Extensibility;

namespace Resilience.Experiments;

/// <summary>Something that happens at a moment of an <see cref="EventWorld"/>.</summary>
internal interface IOccurrence
{
    /// <param name="data">What was given when it was set.</param>
    void Occur(int data);
}

/// <summary>Virtual time for millions of calls: one thread, a heap of what is due, and no task for a call. The engines under experiment take it as their clock.
/// <c>Resilience.Testing</c> has the world for users, in which a call is a task and costs some ten times as much.</summary>
internal sealed class EventWorld : TimeProvider, IContinuationRunner
{
    private readonly Queue<IThreadPoolWorkItem> _work = new();
    private Due[] _heap = new Due[1024];
    private int _count;
    private long _order;
    private long _now;

    /// <summary>Ticks of 100 ns since the beginning.</summary>
    internal long Now => _now;

    internal double Seconds => (double)_now / TimeSpan.TicksPerSecond;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddTicks(_now);

    public void Enqueue(IThreadPoolWorkItem work) => _work.Enqueue(work);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        WorldTimer timer = new(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Lets something happen: what is set first for a moment happens first.</summary>
    internal void After(double seconds, IOccurrence what, int data = 0) =>
        At(_now + Math.Max(0, (long)Math.Round(seconds * TimeSpan.TicksPerSecond)), what, data);

    internal void At(long moment, IOccurrence what, int data)
    {
        if (_count == _heap.Length) Array.Resize(ref _heap, 2 * _count);
        Due due = new(moment, _order++, what, data);
        int at = _count++;
        while (at > 0)
        {
            int parent = (at - 1) / 2;
            if (!due.IsBefore(_heap[parent])) break;
            _heap[at] = _heap[parent];
            at = parent;
        }

        _heap[at] = due;
    }

    /// <summary>Goes from event to event until the moment has come.</summary>
    internal void RunUntil(double seconds)
    {
        long until = (long)(seconds * TimeSpan.TicksPerSecond);
        SynchronizationContext? outside = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null); // with one, what was awaited would go on in the thread pool
        try
        {
            while (_count > 0 && _heap[0].Moment <= until)
            {
                Due next = Take();
                _now = next.Moment;
                next.What.Occur(next.Data);
                while (_work.TryDequeue(out IThreadPoolWorkItem? work)) work.Execute();
            }
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outside);
        }

        _now = until;
    }

    private Due Take()
    {
        Due first = _heap[0], last = _heap[--_count];
        int at = 0;
        while (true)
        {
            int child = (2 * at) + 1;
            if (child >= _count) break;
            if (child + 1 < _count && _heap[child + 1].IsBefore(_heap[child])) child++;
            if (!_heap[child].IsBefore(last)) break;
            _heap[at] = _heap[child];
            at = child;
        }

        _heap[at] = last;
        return first;
    }

    private readonly record struct Due(long Moment, long Order, IOccurrence What, int Data)
    {
        internal bool IsBefore(in Due other) => Moment < other.Moment || (Moment == other.Moment && Order < other.Order);
    }

    private sealed class WorldTimer(EventWorld world, TimerCallback callback, object? state) : ITimer, IOccurrence
    {
        private TimeSpan _period;
        private int _arming;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            (_period, _arming) = (period, _arming + 1);
            if (dueTime != Timeout.InfiniteTimeSpan) world.At(world._now + dueTime.Ticks, this, _arming);
            return true;
        }

        public void Occur(int data)
        {
            if (data != _arming) return; // changed or disposed since
            if (_period > TimeSpan.Zero) world.At(world._now + _period.Ticks, this, _arming);
            callback(state);
        }

        public void Dispose() => _arming++;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
