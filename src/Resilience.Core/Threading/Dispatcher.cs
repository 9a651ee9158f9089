using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>The home of everything of ours that becomes due on the system's time: it keeps the time, and finds a thread that tells whom it concerns.</summary>
/// <remarks>
/// <code>
///   Arm ──► heap ──(due)──► queue ──► a worker takes the first, runs it, takes the next
///                             ▲
///   Post ─────────────────────┘
/// </code>
/// <para>
/// The keeper, a thread of ours, sleeps until the first in the heap is due and moves what is due to the queue. It never runs code of users.
/// Workers do, and a worker may be held up by it for as long as it likes. So workers are replaceable, and there are three kinds:
/// </para>
/// <list type="number">
/// <item>A worker of the thread pool, fetched by a timer of the runtime that is due at once, because that is what the pool does before anything that is
/// queued. It comes first because code that is told on the pool goes on at once: what it queues from there is next in line, where from a thread
/// of ours it would go behind the backlog.</item>
/// <item>A thread of ours, when the queue does not move: soon if a worker of ours is held up, which may be the pool's last one; otherwise late,
/// because a busy pool still comes.</item>
/// <item>When too many of those are held up, the ordinary queue of the pool.</item>
/// </list>
/// <para>
/// One plain lock guards it all: nothing here is on the way of a call whose timeout is served by the <see cref="TimeoutScanner"/>.
/// With the runtime's timers instead (see <see cref="UsesRuntimeTimers"/>) that one timer also keeps the time, and there are no threads of ours.
/// </para>
/// </remarks>
internal sealed class Dispatcher
{
    /// <summary>The switch for <see cref="AppContext"/>: true lets one timer of the runtime do the work of the keeper and of the helpers.</summary>
    internal const string RuntimeTimersSwitch = "Resilience.UseRuntimeTimers";

    /// <summary>The queue has not moved for so long: ask the pool once more.</summary>
    internal const int PatienceMs = 10;

    /// <summary>The queue has not moved for so long while a worker is held up: a thread of ours takes over.</summary>
    internal const int HeldUpMs = 25;

    /// <summary>The queue has not moved for so long although no worker is held up: the pool does not come, and a thread of ours takes over.</summary>
    internal const int StarvedMs = 500;

    /// <summary>The most threads of ours, the keeper apart.</summary>
    internal const int MaxHelpers = 16;

    private const int LingerMs = 10_000;

    private readonly object _gate = new(); // guards what is below; no code of users under it. A monitor, because the keeper waits on it
    private readonly TimerHeap _heap = new();
    private readonly Queue<Due> _queue = new();
    private readonly Clock _clock;
    private readonly ITimer _call; // calls a worker of the pool
    private bool _usesRuntimeTimers;
    private bool _isKept; // the keeper lives
    private bool _isCalled; // a worker of the pool has been called and has not come
    private long _nextLookMs = Clock.Never;
    private long _movedMs; // when the queue moved last: something was taken out, or came in when there was nothing
    private int _inside; // workers that run something now
    private int _helpers;

    [ThreadStatic]
    private static Dispatcher? WorksFor;

    internal static Dispatcher System { get; } = new(Clock.System, IsSwitchedToRuntimeTimers);

    /// <param name="clock">What it keeps.</param>
    /// <param name="usesRuntimeTimers">Whether its timer keeps the time, and not a thread of ours.</param>
    /// <param name="timers">Who makes that timer: the system, but for tests.</param>
    internal Dispatcher(Clock clock, bool usesRuntimeTimers, SafeTime? timers = null)
    {
        _clock = clock;
        _usesRuntimeTimers = usesRuntimeTimers;
        bool flows = !ExecutionContext.IsFlowSuppressed();
        if (flows) ExecutionContext.SuppressFlow(); // the context of the first call must not reach others
        try
        {
            TimerCallback come = static d => ((Dispatcher)d!).ComeFromPool();
            _call = timers is null
                ? TimeProvider.System.CreateTimer(come, this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan)
                : timers.CreateTimer(come, this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            if (flows) ExecutionContext.RestoreFlow();
        }
    }

    private static bool IsSwitchedToRuntimeTimers =>
        OperatingSystem.IsBrowser() || OperatingSystem.IsWasi() || (AppContext.TryGetSwitch(RuntimeTimersSwitch, out bool isOn) && isOn);

    /// <summary>What has become due, or was posted then.</summary>
    private readonly record struct Due(IThreadPoolWorkItem Work, long AtMs);

    internal bool UsesRuntimeTimers
    {
        get
        {
            lock (_gate) return _usesRuntimeTimers;
        }
    }

    /// <summary>How many are armed and not due.</summary>
    internal int Armed
    {
        get
        {
            lock (_gate) return _heap.Count;
        }
    }

    /// <summary>Lets it happen at that moment, or at another than before.</summary>
    internal void Arm(TimedWork work, long dueMs)
    {
        lock (_gate)
        {
            _heap.Remove(work);
            _heap.Add(work, dueMs);
            LookBy(dueMs);
        }
    }

    /// <summary>Takes it back. It may have been moved to the queue already.</summary>
    internal void Disarm(TimedWork work)
    {
        lock (_gate) _heap.Remove(work);
    }

    /// <summary>For a timer that repeats itself while it fires: the gate is held.</summary>
    internal void Repeat(TimedWork work, long dueMs) => _heap.Add(work, dueMs);

    /// <summary>Lets it happen soon, on a thread where it delays nothing else.</summary>
    internal void Post(IThreadPoolWorkItem work, long dueMs)
    {
        lock (_gate) Enqueue(work, dueMs);
    }

    private void Enqueue(IThreadPoolWorkItem work, long dueMs)
    {
        long now = _clock.NowMs;
        if (_queue.Count == 0) _movedMs = now;
        _queue.Enqueue(new(work, dueMs));

        // A worker that posts comes back to the queue when it is through; if it is held up, the look finds that.
        if (!ReferenceEquals(WorksFor, this)) CallPool();
        LookBy(now + PatienceMs);
    }

    private void CallPool(bool isRepeated = false)
    {
        if (_isCalled && !isRepeated) return;
        _isCalled = true;
        _call.Change(TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Sees to it that the queue is looked at then, or sooner.</summary>
    private void LookBy(long ms)
    {
        if (ms >= _nextLookMs) return;
        _nextLookMs = ms;
        if (!_usesRuntimeTimers && (_isKept || TryStartKeeper())) Monitor.Pulse(_gate);
        else if (!_isCalled) _call.Change(TimeSpan.FromMilliseconds(Math.Max(0, ms - _clock.NowMs)), Timeout.InfiniteTimeSpan);
    }

    /// <summary>False when there can be no more threads: from then on the runtime's timer keeps the time.</summary>
    private bool TryStartKeeper()
    {
        _isKept = TryStart(static d => ((Dispatcher)d!).Keep(), "Resilience: time");
        _usesRuntimeTimers = !_isKept;
        return _isKept;
    }

    [SuppressMessage("Design", "CA1031", Justification = "What it fails with differs from system to system.")]
    private bool TryStart(ParameterizedThreadStart run, string name)
    {
        try
        {
            new Thread(run) { IsBackground = true, Name = name }.UnsafeStart(this);
            return true;
        }
        catch (Exception)
        {
            return false;
        }
    }

    private void Keep()
    {
        while (true)
        {
            TimedWork? own;
            lock (_gate)
            {
                own = Look();
                if (own is null && !WaitForNextLook()) return;
            }

            own?.Execute();
        }
    }

    /// <summary>False when there has been nothing to keep for a while: the keeper ends, and the next arming starts another one.</summary>
    private bool WaitForNextLook()
    {
        if (_nextLookMs != Clock.Never)
        {
            Monitor.Wait(_gate, (int)Math.Clamp(_nextLookMs - _clock.NowMs, 1, int.MaxValue));
            return true;
        }

        if (Monitor.Wait(_gate, LingerMs) || _nextLookMs != Clock.Never) return true;
        return _isKept = false;
    }

    /// <summary>Moves what is due to the queue, and helps the queue if it does not move. Returns something of our own that is due: it is run
    /// outside of the gate, at once, before the next look.</summary>
    private TimedWork? Look()
    {
        long now = _clock.NowMs;
        while (_heap.TakeDue(now) is { } work)
        {
            long due = work.HeapDueMs;
            if (!work.TryFire(now)) continue;
            if (work is DispatcherTimer { IsOurOwn: true })
            {
                _nextLookMs = now; // the look is not over
                return work;
            }

            Enqueue(work, due);
        }

        _nextLookMs = Math.Min(_heap.EarliestMs, WatchQueue(now));
        if (_usesRuntimeTimers && _nextLookMs != Clock.Never)
        {
            _isCalled = false; // the look goes on to the queue
            _call.Change(TimeSpan.FromMilliseconds(Math.Clamp(_nextLookMs - now, 0, 1 << 30)), Timeout.InfiniteTimeSpan);
        }

        return null;
    }

    /// <summary>When to look at the queue again.</summary>
    private long WatchQueue(long now)
    {
        if (_queue.Count == 0) return Clock.Never;
        long still = now - _movedMs;
        if (still < PatienceMs) return _movedMs + PatienceMs;
        if (_usesRuntimeTimers) return now + PatienceMs; // the look itself is on a worker that goes on to the queue
        if (still >= (_inside > 0 ? HeldUpMs : StarvedMs)) Help();
        else CallPool(isRepeated: true); // another timer of the same moment may have pushed ours into the ordinary queue
        return now + PatienceMs;
    }

    private void Help()
    {
        if (_helpers < MaxHelpers && TryStart(static d => ((Dispatcher)d!).ComeAsHelper(), "Resilience: helper"))
        {
            _helpers++;
            _movedMs = _clock.NowMs; // it is on its way
            return;
        }

        while (_queue.TryDequeue(out Due due))
            ThreadPool.UnsafeQueueUserWorkItem(static d => Run(d.Due, d.Clock), (Due: due, Clock: _clock), preferLocal: false);
    }

    private void ComeFromPool()
    {
        TimedWork? own;
        do
        {
            lock (_gate)
            {
                _isCalled = false;
                own = _usesRuntimeTimers ? Look() : null;
            }

            own?.Execute();
        }
        while (own is not null);
        Work();
    }

    private void ComeAsHelper()
    {
        Work();
        lock (_gate) _helpers--;
    }

    private void Work()
    {
        Dispatcher? around = WorksFor; // code of users may run a nested loop of some kind; none is known, and it costs nothing
        WorksFor = this;
        bool wasInside = false;
        while (TryTake(wasInside, out Due due))
        {
            wasInside = true;
            Run(due, _clock);
        }

        WorksFor = around;
    }

    private bool TryTake(bool wasInside, out Due due)
    {
        lock (_gate)
        {
            if (wasInside) _inside--;
            if (!_queue.TryDequeue(out due)) return false;
            _inside++;
            _movedMs = _clock.NowMs;
            if (_queue.Count > 0) LookBy(_movedMs + PatienceMs);
            return true;
        }
    }

    /// <summary>Runs code of users, perhaps. Its execution context ends with it, and whatever it throws, it does not end the worker.</summary>
    private static void Run(Due due, Clock clock)
    {
        Measure(due, clock);
        try
        {
            if (ExecutionContext.Capture() is { } clean) ExecutionContext.Run(clean, static work => ((IThreadPoolWorkItem)work!).Execute(), due.Work);
            else due.Work.Execute();
        }
        catch (Exception error)
        {
            Safely.Report("timer", error);
        }
    }

    /// <summary>A listener that throws must not hold up other work that is due.</summary>
    private static void Measure(Due due, Clock clock)
    {
        try
        {
            ResilienceTelemetry.WasLate(clock.NowMs - due.AtMs, due.Work is TimeoutSource);
        }
        catch (Exception error)
        {
            Safely.Report("metrics listener", error);
        }
    }
}
