namespace Resilience;

/// <summary>A timer on the system's time whose callback is run by the <see cref="Dispatcher"/>: also when the thread pool has a backlog. It keeps
/// no execution context.</summary>
/// <param name="dispatcher">Whose.</param>
/// <param name="callback">What happens.</param>
/// <param name="state">Its argument.</param>
/// <param name="isOurOwn">The callback runs no code of users and does not wait: it runs on the keeper's thread.</param>
internal sealed class DispatcherTimer(Dispatcher dispatcher, TimerCallback callback, object? state, bool isOurOwn) : TimedWork, ITimer
{
    private long _periodMs = Clock.Never; // Never: once. Written by the owner, read under the gate
    private bool _isDisposed;

    internal bool IsOurOwn => isOurOwn;

    public bool Change(TimeSpan dueTime, TimeSpan period)
    {
        if (Volatile.Read(ref _isDisposed)) return false;
        long due = Clock.ToMs(dueTime), every = Clock.ToMs(period);
        Volatile.Write(ref _periodMs, every == 0 ? Clock.Never : every);
        if (due == Clock.Never) dispatcher.Disarm(this);
        else dispatcher.Arm(this, Clock.System.NowMs + due);
        return true;
    }

    public void Dispose()
    {
        Volatile.Write(ref _isDisposed, true);
        dispatcher.Disarm(this);
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return default;
    }

    internal override bool TryFire(long nowMs)
    {
        if (Volatile.Read(ref _isDisposed)) return false;
        long every = Volatile.Read(ref _periodMs);
        if (every != Clock.Never) dispatcher.Repeat(this, Math.Max(HeapDueMs + every, nowMs + 1)); // by the plan, so that it does not drift
        return true;
    }

    public override void Execute()
    {
        if (!Volatile.Read(ref _isDisposed)) callback(state);
    }
}
