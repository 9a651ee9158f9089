using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Testing;

/// <summary>A world in virtual time for your own pipelines: dependencies that behave by a script, load that comes in, and a report of what became
/// of it. Thousands of hours pass in seconds, and the same seed tells the same story.</summary>
/// <remarks>
/// <para>
/// Make a simulation, give its <see cref="Time"/> and <see cref="Randomness"/> to the pipeline (<see cref="Attach{TBuilder}"/> does), add
/// dependencies and load, and <see cref="RunAsync"/>. After the given time no more load comes in, and the calls that are under way may end.
/// </para>
/// <para>
/// Everything runs on one thread, from one timer to the next, and so do the continuations of policies. Code of yours that leaves that thread for the
/// thread pool (a cancelled <c>Task.Delay</c>, a channel, <c>Task.Run</c>) is noticed when it is queued there: from then on
/// <see cref="SimulationReport.IsExact"/> is false, and time moves on only when the pool has nothing left to do. The order of such steps is the seed's
/// alone where the process has a thread pool of one worker (<c>ThreadPoolMinThreads</c> and <c>ThreadPoolMaxThreads</c> = 1 in the project). A pool that is
/// never idle ends the run with an error (see <see cref="Watchdog"/>). Code that waits for real time, real input or a lock held by another call does not
/// belong into a simulation.
/// </para>
/// </remarks>
public sealed partial class Simulation
{
    private readonly Timeline _timeline = new();
    private readonly List<SimulatedDependency> _dependencies = [];
    private readonly List<string>? _trace;
    /// <summary>How long the pool must be at rest where it is not known that everything of ours has come to a thread.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromMilliseconds(2);

    private readonly Lock _gate = new(); // guards counts and the trace
    private readonly Randomness _loadRandomness;
    private readonly TaskCompletionSource<SimulationReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _fingerprint = 14695981039346656037;
    private long _started, _succeeded, _failed, _rejected, _arrivals, _events;
    private int _underWay;
    private int _elsewhere; // threads other than ours that run our code now
    private long _queued; // how often our code was queued in the thread pool
    private long _arrived; // and how often it came to another thread
    private long _left; // how often our code was queued in the thread pool, or came to another thread in another way
    private long _settled; // of these, how many are over
    private bool _isWatched; // we hear of what is queued in the pool
    private int _thread;
    private long _asked;
    private int _others; // workers of the pool that are active without us: the least that we saw, and ourselves
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
    }

    /// <summary>What everything random follows from.</summary>
    public long Seed { get; }

    /// <summary>The world's time, for pipelines and for your own code.</summary>
    public VirtualTime Time { get; }

    /// <summary>The world's chance, for pipelines and for your own code.</summary>
    public Randomness Randomness { get; }

    /// <summary>How often the report takes stock. More than 0; default 1 second.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long, in real time, steps that left the thread of the simulation may take to end before the run fails: it never lets time move on while
    /// one may
    /// be under way. More than 0; default a minute. The thread pool must come to rest in that time, so run such simulations when nothing else uses
    /// it.</summary>
    public TimeSpan Watchdog { get; init; } = TimeSpan.FromMinutes(1);

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
    /// <exception cref="InvalidOperationException">A simulation runs once. Or, as the end of the run: code of the simulation did not come back from the
    /// thread pool within the <see cref="Watchdog"/>.</exception>
    public Task<SimulationReport> RunAsync(TimeSpan duration, TimeSpan? patience = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(duration, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Interval, TimeSpan.Zero, nameof(Interval));
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(Watchdog, TimeSpan.Zero, nameof(Watchdog));
        if (_hasBegun) throw new InvalidOperationException("A simulation runs once: make another one.");
        _hasBegun = true;
        _duration = duration;
        _patience = duration + (patience ?? TimeSpan.FromHours(1));
        PoolWatch.Begin();
        _asked = TimeProvider.System.GetTimestamp();
        ThreadPool.UnsafeQueueUserWorkItem(static s => s.Start(), this, preferLocal: false);
        return _ended.Task;
    }

    internal void CountArrival(int waiting)
    {
        lock (_gate)
        {
            _arrivals++;
            SimulationInterval interval = _timeline.At(Time.Elapsed, Interval);
            interval.Attempts++;
            interval.MaxWaiting = Math.Max(interval.MaxWaiting, waiting);
        }
    }

    internal void CountServed(bool isAbandoned, int waiting)
    {
        lock (_gate)
        {
            SimulationInterval interval = _timeline.At(Time.Elapsed, Interval);
            if (isAbandoned) interval.Abandoned++;
            interval.MaxWaiting = Math.Max(interval.MaxWaiting, waiting);
        }
    }

    /// <summary>A worker of the pool may learn only with its next round that there is a listener, so we try.</summary>
    private void Start()
    {
        _isWatched = PoolWatch.Hears();
        if (!_isWatched && TimeProvider.System.GetElapsedTime(_asked) <= TimeSpan.FromSeconds(1))
        {
            ThreadPool.UnsafeQueueUserWorkItem(static s => s.Start(), this, preferLocal: false);
            return;
        }

        _others = MinActive();
        Pump();
    }

    /// <summary>Nothing runs unless it is run from here.</summary>
    private void Pump()
    {
        _thread = Environment.CurrentManagedThreadId;
        bool stepsAside = false;
        try
        {
            PoolWatch.Here = this;
            while (true)
            {
                do
                {
                    if (IsAlone && ThreadPool.PendingWorkItemCount > 0)
                    {
                        // We are the pool's only worker: step aside, so that what was queued runs before time moves on.
                        stepsAside = true;
                        return;
                    }

                    Settle();
                }
                while (Time.TryRunContinuations());

                if (!_isOver && Time.Elapsed < _duration && Time.TryFireNext(_duration)) continue;
                _isOver = true;
                Time.MoveTo(_duration);
                if (Volatile.Read(ref _underWay) == 0 || !Time.TryFireNext(_patience)) break;
            }

            _ended.TrySetResult(Report());
        }
        catch (Exception error)
        {
            _ended.TrySetException(error);
        }
        finally
        {
            PoolWatch.Here = null;
            if (stepsAside) ThreadPool.UnsafeQueueUserWorkItem(static s => s.Pump(), this, preferLocal: false); // when no code of the simulation runs here
            else PoolWatch.End();
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

    /// <summary>Waits until nothing of ours is in the thread pool. Costs a look at a number as long as nothing has gone there.</summary>
    private void Settle()
    {
        if (IsAlone) return;
        if (_isWatched && Volatile.Read(ref _left) == _settled && Volatile.Read(ref _elsewhere) == 0) return;
        long start = TimeProvider.System.GetTimestamp();
        long restSince = 0;
        SpinWait spin = default;
        while (true)
        {
            long left = Volatile.Read(ref _left); // before the look: what is queued later is another round
            if (Volatile.Read(ref _elsewhere) > 0 || !IsPoolAtRest() || Volatile.Read(ref _elsewhere) > 0)
            {
                restSince = 0;
            }
            else if (Volatile.Read(ref _arrived) >= Volatile.Read(ref _queued) || HasRestedFor(ref restSince))
            {
                // What was queued without its context never comes to a thread as ours: then the rest must last.
                _settled = left;
                return;
            }

            if (TimeProvider.System.GetElapsedTime(start) > Watchdog)
            {
                throw new InvalidOperationException(
                    $"Code of the simulation has been in the thread pool for {Watchdog.TotalSeconds:0.#} s of real time, or something else keeps the pool "
                    + "busy. Time does not move on while a step may be under way.");
            }

            spin.SpinOnce();
        }
    }

    /// <summary>Nothing is queued, and no more workers are active than were before our code ran.</summary>
    /// <remarks>
    /// An item is queued until a worker takes it, and the worker counts as active from before it takes it until it finds nothing more. So what is in neither
    /// count at
    /// a time is not in the pool at that time. The two counts are read one after the other; between them an item may end that has queued another
    /// before: then the number of completed items has changed, and we look again later. A test host blocks some workers for good: they were active before.
    /// </remarks>
    private bool IsPoolAtRest()
    {
        long completed = ThreadPool.CompletedWorkItemCount;
        if (ThreadPool.PendingWorkItemCount > 0) return false;
        int active = ActiveWorkers();
        _others = Math.Min(_others, active);
        return active == _others && ThreadPool.PendingWorkItemCount == 0 && ThreadPool.CompletedWorkItemCount == completed;
    }

    /// <summary>How many workers of the pool are active without us. A worker that is about to end counts as active and would hide one of ours later, so we
    /// look until there have not been fewer for a while.</summary>
    private static int MinActive()
    {
        int min = ActiveWorkers();
        long since = TimeProvider.System.GetTimestamp();
        SpinWait spin = default;
        while (TimeProvider.System.GetElapsedTime(since) < Calm)
        {
            spin.SpinOnce();
            int active = ActiveWorkers();
            if (active >= min) continue;
            min = active;
            since = TimeProvider.System.GetTimestamp();
        }

        return min;
    }

    private static bool HasRestedFor(ref long since)
    {
        if (since == 0) since = TimeProvider.System.GetTimestamp();
        return TimeProvider.System.GetElapsedTime(since) >= Calm;
    }

    private static int ActiveWorkers()
    {
        ThreadPool.GetMaxThreads(out int max, out _);
        ThreadPool.GetAvailableThreads(out int free, out _);
        return max - free;
    }

    /// <summary>Our code is queued in the thread pool, on whatever thread.</summary>
    internal void Leaves()
    {
        Interlocked.Increment(ref _queued);
        Interlocked.Increment(ref _left); // last: who sees it sees that it was queued
    }

    /// <summary>Our execution context has come to a thread or left it: that is how we know of code that runs elsewhere.</summary>
    internal void Moved(bool comes)
    {
        if (Environment.CurrentManagedThreadId == _thread) return;
        if (comes)
        {
            Interlocked.Increment(ref _elsewhere);
            Interlocked.Increment(ref _arrived); // after: what has arrived is seen elsewhere until it is done
            Interlocked.Increment(ref _left);
        }
        else
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
                Rejected = _rejected,
                Attempts = _arrivals,
                Operations = _dependencies.Sum(d => d.Operations),
                Abandoned = _dependencies.Sum(d => d.Abandoned),
                Events = _events,
                Stuck = _underWay,
                TimersLeft = Time.ArmedTimers,
                IsExact = IsAlone || Volatile.Read(ref _left) == 0,
                Outcomes = _timeline.Outcomes,
                Latencies = _timeline.Latencies,
                Timeline = _timeline.Intervals,
                CircuitChanges = _timeline.Changes,
                Trace = _trace ?? [],
            };
        }
    }
}
