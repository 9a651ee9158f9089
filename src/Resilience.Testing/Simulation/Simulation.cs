namespace Resilience.Testing;

/// <summary>A world in virtual time for your own pipelines: dependencies that behave by a script, load that comes in, and a report of what became
/// of it. Thousands of hours pass in seconds, and the same seed tells the same story.</summary>
/// <remarks>
/// <para>
/// Make a simulation, give its <see cref="Time"/> and <see cref="Randomness"/> to the pipeline (<see cref="Attach{TBuilder}"/> does), add
/// dependencies and load, and <see cref="RunAsync"/>. After the given time no more load comes in, and the calls that are under way may end.
/// </para>
/// <para>
/// Everything runs on one thread, from one timer to the next. Code that leaves that thread (a cancelled <c>Task.Delay</c>, a channel, a queue of
/// waiters, <c>Task.Run</c>) is waited for before time moves on. The order of such steps is the seed's alone where the process has a thread pool of
/// one worker (<c>ThreadPoolMinThreads</c> and <c>ThreadPoolMaxThreads</c> = 1 in the project); elsewhere <see cref="SimulationReport.IsExact"/>
/// says whether there were any. Code that waits for real time, real input or a lock held by another call does not belong into a simulation.
/// </para>
/// </remarks>
public sealed partial class Simulation
{
    private readonly AsyncLocal<Simulation?> _here;
    private readonly Timeline _timeline = new();
    private readonly List<SimulatedDependency> _dependencies = [];
    private readonly List<string>? _trace;
    private readonly Lock _gate = new(); // guards counts and the trace
    private readonly Randomness _loadRandomness;
    private readonly TaskCompletionSource<SimulationReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _fingerprint = 14695981039346656037;
    private long _started, _succeeded, _failed, _refused, _arrivals, _events;
    private int _underWay;
    private int _elsewhere; // threads other than ours that run our code now
    private long _hops;
    private int _thread;
    private bool _hasBegun, _isOver;
    private TimeSpan _duration, _patience;

    /// <summary>Makes a world.</summary>
    /// <param name="seed">Everything random follows from it.</param>
    /// <param name="keepTrace">Keep every note, for reading: costs memory. Without it the notes only make the fingerprint.</param>
    public Simulation(long seed, bool keepTrace = false)
    {
        Seed = seed;
        Randomness = Randomness.Seeded(seed);
        _loadRandomness = Randomness.Seeded(seed ^ 0x10AD);
        Time = new(Randomness.Seeded(seed ^ 0x7135));
        _trace = keepTrace ? [] : null;
        _here = new(Moved);
    }

    /// <summary>What everything random follows from.</summary>
    public long Seed { get; }

    /// <summary>The world's time, for pipelines and for your own code.</summary>
    public VirtualTime Time { get; }

    /// <summary>The world's chance, for pipelines and for your own code.</summary>
    public Randomness Randomness { get; }

    /// <summary>How often the report takes stock. More than 0; default 1 second.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Lets a pipeline live in this world: its time, its chance, and its events in the trace.</summary>
    public TBuilder Attach<TBuilder>(TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.TimeProvider = Time;
        builder.Randomness = Randomness;
        return builder.OnEvent(Heard);
    }

    /// <summary>A new dependency.</summary>
    /// <param name="name">As in the trace.</param>
    /// <param name="behaviour">What it does until its script says otherwise. Default: answers every request after 10 ms.</param>
    public SimulatedDependency AddDependency(string name, DependencyBehaviour? behaviour = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        SimulatedDependency dependency = new(this, name, behaviour ?? new());
        _dependencies.Add(dependency);
        return dependency;
    }

    /// <summary>Something happens at a moment: an operator acts, options are changed, the wall clock is stepped.</summary>
    public Simulation At(TimeSpan moment, Action action)
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfLessThan(moment, Time.Elapsed);
        ITimer? timer = null;
        timer = Time.CreateWorldTimer(_ => { timer?.Dispose(); action(); }, moment - Time.Elapsed);
        return this;
    }

    /// <summary>Writes into the trace, and so into the fingerprint.</summary>
    public void Note(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        TimeSpan now = Time.Elapsed;
        lock (_gate)
        {
            foreach (char c in text) Mix(c);
            Mix((ulong)now.Ticks);
            _trace?.Add($"{now:c} {text}");
        }
    }

    /// <summary>Lets the load come in for the given time, then waits for the calls that are under way, and reports.</summary>
    /// <param name="duration">How long load comes in.</param>
    /// <param name="patience">How long, in virtual time, calls that are still under way may take to end; what has not ended by then is
    /// reported as <see cref="SimulationReport.Stuck"/>. Default: an hour.</param>
    /// <exception cref="InvalidOperationException">A simulation runs once.</exception>
    public Task<SimulationReport> RunAsync(TimeSpan duration, TimeSpan? patience = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(duration, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Interval, TimeSpan.Zero, nameof(Interval));
        if (_hasBegun) throw new InvalidOperationException("A simulation runs once: make another one.");
        _hasBegun = true;
        _duration = duration;
        _patience = duration + (patience ?? TimeSpan.FromHours(1));
        ThreadPool.UnsafeQueueUserWorkItem(static s => s.Pump(), this, preferLocal: false);
        return _ended.Task;
    }

    internal void CountArrival(int waiting)
    {
        lock (_gate)
        {
            _arrivals++;
            SimulationInterval interval = _timeline.At(Time.Elapsed, Interval);
            interval.Attempts++;
            interval.MostWaiting = Math.Max(interval.MostWaiting, waiting);
        }
    }

    internal void CountServed(bool isAbandoned, int waiting)
    {
        lock (_gate)
        {
            SimulationInterval interval = _timeline.At(Time.Elapsed, Interval);
            if (isAbandoned) interval.Abandoned++;
            interval.MostWaiting = Math.Max(interval.MostWaiting, waiting);
        }
    }

    /// <summary>Nothing runs unless it is run from here.</summary>
    private void Pump()
    {
        _thread = Environment.CurrentManagedThreadId;
        try
        {
            _here.Value = this;
            while (true)
            {
                if (IsAlone && ThreadPool.PendingWorkItemCount > 0)
                {
                    // We are the pool's only worker: step aside, so that what was queued runs before time moves on.
                    _hops++;
                    ThreadPool.UnsafeQueueUserWorkItem(static s => s.Pump(), this, preferLocal: false);
                    return;
                }

                Settle();
                if (!_isOver && Time.Elapsed < _duration && Time.TryFireNext(_duration)) continue;
                _isOver = true;
                Time.MoveTo(_duration);
                if (Volatile.Read(ref _underWay) == 0 || !FireOneMore()) break;
            }

            _ended.TrySetResult(Report());
        }
        catch (Exception error)
        {
            _ended.TrySetException(error);
        }
        finally
        {
            _here.Value = null;
        }
    }

    private static bool IsAlone
    {
        get
        {
            ThreadPool.GetMaxThreads(out int workers, out _);
            return workers == 1;
        }
    }

    /// <summary>After the load has ended: one more timer. Without any, somebody may be waiting for a step that another thread has yet to make.</summary>
    private bool FireOneMore()
    {
        if (Time.TryFireNext(_patience)) return true;
        if (IsAlone || Time.ArmedTimers > 0) return false;
        long hops = Volatile.Read(ref _hops);
        SpinWait.SpinUntil(() => Volatile.Read(ref _hops) != hops || Volatile.Read(ref _underWay) == 0, TimeSpan.FromSeconds(1));
        return Volatile.Read(ref _hops) != hops;
    }

    /// <summary>Waits until no other thread runs code of ours, nor is about to.</summary>
    private void Settle()
    {
        if (IsAlone) return;
        SpinWait spin = default;
        for (int looks = 0; Volatile.Read(ref _elsewhere) > 0 || (ThreadPool.PendingWorkItemCount > 0 && looks < 1000); looks++)
        {
            spin.SpinOnce(sleep1Threshold: -1);
            if (ThreadPool.PendingWorkItemCount == 0 && Volatile.Read(ref _elsewhere) == 0) Thread.SpinWait(500); // taken from the queue, not yet begun
        }
    }

    /// <summary>Our execution context has come to a thread or left it: that is how we know of code that runs elsewhere.</summary>
    private void Moved(AsyncLocalValueChangedArgs<Simulation?> change)
    {
        if (!change.ThreadContextChanged || Environment.CurrentManagedThreadId == _thread) return;
        if (change.CurrentValue is not null && change.PreviousValue is null)
        {
            Interlocked.Increment(ref _elsewhere);
            Interlocked.Increment(ref _hops);
        }
        else if (change.CurrentValue is null && change.PreviousValue is not null)
        {
            Interlocked.Decrement(ref _elsewhere);
        }
    }

    private void Heard(ResilienceEvent happened)
    {
        Interlocked.Increment(ref _events);
        if (happened is CircuitChanged change)
        {
            lock (_gate) _timeline.Changes.Add((Time.Elapsed, change));
            Note($"{change.PolicyName}: {change.From} -> {change.To}");
        }
        else
        {
            Note($"{happened.PolicyName}: {happened.GetType().Name}");
        }
    }

    private void Mix(ulong value) => _fingerprint = (_fingerprint ^ value) * 1099511628211;

    private SimulationReport Report()
    {
        lock (_gate)
        {
            return new()
            {
                Seed = Seed,
                Fingerprint = _fingerprint,
                Duration = _duration,
                Elapsed = Time.Elapsed,
                Interval = Interval,
                Started = _started,
                Succeeded = _succeeded,
                Failed = _failed,
                Refused = _refused,
                Attempts = _arrivals,
                Deeds = _dependencies.Sum(d => d.Deeds),
                Abandoned = _dependencies.Sum(d => d.Abandoned),
                Events = _events,
                Stuck = _underWay,
                TimersLeft = Time.ArmedTimers,
                IsExact = IsAlone || _hops == 0,
                Endings = _timeline.Endings,
                Latencies = _timeline.Latencies,
                Timeline = _timeline.Intervals,
                CircuitChanges = _timeline.Changes,
                Trace = _trace ?? [],
            };
        }
    }
}
