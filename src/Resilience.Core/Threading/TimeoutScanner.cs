namespace Resilience;

/// <summary>Fires the timeout sources that are due: one timer for all of them instead of one for each call. Whom it concerns is told by the clock's
/// <see cref="Dispatcher"/>: a look itself runs no code of users.</summary>
/// <remarks>
/// <para>
/// Every source that it serves has at least <see cref="MaxSleepMs"/> to run when it is armed. So after a look at all
/// deadlines nothing can become due before the earliest one seen or that time, whichever is first, and until then the
/// scanner sleeps. A call pays for its timeout with two atomic operations on its own source, and never talks to a timer.
/// </para>
/// <para>
/// After a second in which nothing was armed the scanner stops; the next arming starts it again. No start is lost: the
/// scanner first silences its timer, then declares itself stopped, then looks at all deadlines once more; a source first
/// writes its deadline, then looks whether the scanner is stopped. Both need a fence between the write and the look, or both
/// could miss the other. The scanner, which stops once in a while, pays for both: between its write and its look it runs a
/// barrier on every processor of the process. So at least one of them sees the other and starts the timer, and the
/// compare-and-swap lets one do it.
/// </para>
/// </remarks>
internal sealed class TimeoutScanner
{
    /// <summary>The longest pause between two looks, and so the shortest timeout that it serves.</summary>
    internal const int MaxSleepMs = 200;

    /// <summary>The shortest pause, and so how late it may be: a look at a full table takes about 0.1 ms, which every millisecond would be too much.</summary>
    internal const int ShortestSleepMs = 5;

    private const int MaxSources = 16_384;
    internal const int IdleLooksBeforeStop = 5;

    private readonly Clock _clock;
    private readonly ITimer _timer;
    private readonly Lock _gate = new(); // guards the table's shape only; no user code, no wait under it
    private readonly Stack<int> _free = [];
    private TimeoutSource?[] _table = new TimeoutSource?[64];
    private int _used;
    private int _isRunning;
    private int _idleLooks;

    internal static TimeoutScanner System { get; } = new(Clock.System);

    internal TimeoutScanner(Clock clock)
    {
        _clock = clock;
        _timer = clock.CreateOwnTimer(static scanner => ((TimeoutScanner)scanner!).Look(), this);
    }

    /// <summary>How many sources it knows.</summary>
    internal int Count
    {
        get
        {
            lock (_gate) return _used - _free.Count;
        }
    }

    /// <summary>False when it has stopped, or not started yet.</summary>
    internal bool IsRunning => Volatile.Read(ref _isRunning) != 0; // acquire: for tests, after they have joined the threads

    /// <summary>False when there are too many: the source then keeps its own time.</summary>
    internal bool TryRegister(TimeoutSource source)
    {
        lock (_gate)
        {
            if (!_free.TryPop(out int index))
            {
                if (_used == MaxSources) return false;
                index = _used++;
                if (index == _table.Length)
                {
                    TimeoutSource?[] grown = new TimeoutSource?[_table.Length * 2];
                    _table.CopyTo(grown, 0);
                    Volatile.Write(ref _table, grown);
                }
            }

            source.Index = index;
            Volatile.Write(ref _table[index], source);
            return true;
        }
    }

    internal void Forget(TimeoutSource source)
    {
        if (source.Index < 0) return;
        lock (_gate)
        {
            _table[source.Index] = null;
            _free.Push(source.Index);
            source.Index = -1;
        }
    }

    internal void EnsureRunning()
    {
        // Pairs with Stop; the caller has written its deadline before.
        if (Volatile.Read(ref _isRunning) == 0) Start();
    }

    private void Start()
    {
        if (Interlocked.CompareExchange(ref _isRunning, 1, 0) != 0) return;
        Sleep(MaxSleepMs);
    }

    private void Sleep(long ms) => _timer.Change(TimeSpan.FromMilliseconds(Math.Clamp(ms, ShortestSleepMs, MaxSleepMs)), Timeout.InfiniteTimeSpan);

    /// <summary>The timer is set anew only at the end, so two looks never overlap.</summary>
    internal void Look()
    {
        long now = _clock.NowMs;
        long earliest = FireDue(now);
        _idleLooks = earliest == Clock.Never ? _idleLooks + 1 : 0;
        if (_idleLooks >= IdleLooksBeforeStop) Stop();
        else Sleep(earliest == Clock.Never ? MaxSleepMs : earliest - now);
    }

    private void Stop()
    {
        _idleLooks = 0;
        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        // Declared stopped before the last look, and every processor's writes done: pairs with the write in TimeoutSource.Arm.
        Volatile.Write(ref _isRunning, 0);
        Interlocked.MemoryBarrierProcessWide();
        if (FireDue(_clock.NowMs) != Clock.Never) Start();
    }

    private long FireDue(long now)
    {
        long earliest = Clock.Never;
        TimeoutSource?[] table = Volatile.Read(ref _table);
        for (int i = 0; i < table.Length; i++)
        {
            if (Volatile.Read(ref table[i]) is not { } source) continue;
            long due = source.DueMs;
            if (source.TryFire(now))
            {
                _clock.Post(source, due);
                continue;
            }

            if (due > 0 && due < earliest) earliest = due;
        }

        return earliest;
    }
}
