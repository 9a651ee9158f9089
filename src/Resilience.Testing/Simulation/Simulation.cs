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
    private readonly Notes _notes;
    private readonly Gauges _gauges = new();
    private readonly Lock _gate = new(); // guards counts
    private readonly Randomness _loadRandomness;
    private readonly TaskCompletionSource<SimulationReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _arrivals, _events;
    private int _underWay;
    private readonly PoolRest _pool = new();
    private long _asked;
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
        _notes = new(keepTrace);
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

    /// <summary>A new service: one or more replicas that take their own time for a request and then run a handler, which may call other services.</summary>
    /// <param name="name">As in the trace; several replicas have a number behind it.</param>
    /// <param name="behaviour">What each replica does itself, before its handler; give single replicas another with
    /// <see cref="SimulatedDependency.From"/>.</param>
    /// <param name="handler">The work of a request: it is told what the caller sent, and gets the caller's token if the replica
    /// <see cref="DependencyBehaviour.HonorsCancellation"/>. What it throws fails the request.</param>
    /// <param name="replicas">How many: 1 or more; default 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">The behaviour is out of range, or there would be no replica.</exception>
    public SimulatedService AddService(
        string name, DependencyBehaviour behaviour, Func<CallInfo, CancellationToken, ValueTask> handler, int replicas = 1)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(behaviour);
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentOutOfRangeException.ThrowIfLessThan(replicas, 1);
        return new(this, name, behaviour, handler, replicas);
    }

    /// <summary>A value that the report shows over time, such as a limit: read at the end of each <see cref="Interval"/> while load comes in.</summary>
    /// <param name="name">The name in <see cref="SimulationReport.Gauges"/>.</param>
    /// <param name="read">Reads it, on the thread of the simulation.</param>
    /// <exception cref="ArgumentException">There is a gauge of this name.</exception>
    /// <exception cref="InvalidOperationException">The simulation has begun.</exception>
    public Simulation AddGauge(string name, Func<double> read)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(read);
        if (_hasBegun) throw new InvalidOperationException("A gauge is added before the simulation runs.");
        _gauges.Add(name, read);
        return this;
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
        _notes.Add(text, Time.Elapsed);
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
        _gauges.Begin(Time, Interval, duration);
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
        if (!_pool.IsWatched() && TimeProvider.System.GetElapsedTime(_asked) <= TimeSpan.FromSeconds(1))
        {
            ThreadPool.UnsafeQueueUserWorkItem(static s => s.Start(), this, preferLocal: false);
            return;
        }

        _pool.Look();
        Pump();
    }

    /// <summary>Nothing runs unless it is run from here.</summary>
    private void Pump()
    {
        _pool.BeginOnThisThread();
        bool stepsAside = false;
        try
        {
            PoolWatch.Here = _pool;
            while (true)
            {
                do
                {
                    if (PoolRest.IsAlone && ThreadPool.PendingWorkItemCount > 0)
                    {
                        // We are the pool's only worker: step aside, so that what was queued runs before time moves on.
                        stepsAside = true;
                        return;
                    }

                    _pool.Settle(Watchdog);
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

    private SimulationReport Report()
    {
        lock (_gate)
        {
            return new()
            {
                Seed = Seed,
                Fingerprint = _notes.Fingerprint,
                Duration = _duration,
                Elapsed = Time.Elapsed,
                Interval = Interval,
                Started = _timeline.Total.All.Started,
                Succeeded = _timeline.Total.All.Succeeded,
                Failed = _timeline.Total.All.Failed,
                Rejected = _timeline.Total.All.Rejected,
                Attempts = _arrivals,
                Operations = _dependencies.Sum(d => d.Operations),
                Abandoned = _dependencies.Sum(d => d.Abandoned),
                Events = _events,
                Stuck = _underWay,
                TimersLeft = Time.ArmedTimers,
                IsExact = PoolRest.IsAlone || _pool.IsUntouched,
                Outcomes = _timeline.Outcomes,
                Latencies = _timeline.Total.All.Latencies,
                Calls = _timeline.Total,
                Gauges = _gauges.Values,
                Timeline = _timeline.Intervals,
                CircuitChanges = _timeline.Changes,
                Trace = _notes.Trace,
            };
        }
    }
}
