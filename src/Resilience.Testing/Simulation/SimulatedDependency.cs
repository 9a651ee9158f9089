using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>A remote party in a simulation: takes requests, takes its virtual time, answers or fails as its script says.</summary>
/// <remarks>
/// Like a server elsewhere it does not notice that a caller has given up, unless it <see cref="DependencyBehaviour.HonorsCancellation"/>: an abandoned
/// request still takes its turn and its time. That is what makes retries dangerous to a dependency that is short of capacity. Thread-safe.
/// </remarks>
public sealed class SimulatedDependency
{
    private readonly Simulation _simulation;
    private readonly Lock _gate = new(); // guards counts and queue; no foreign code runs under it
    private readonly Queue<SimulatedRequest> _waiting = new(); // those that have left it are skipped
    private readonly SortedList<TimeSpan, DependencyBehaviour> _script = [];
    private readonly RequestCounts[] _counts = new RequestCounts[Classes];
    private readonly SharedProcessor _processor;
    private int _serving;
    private int _waitingNow;

    internal SimulatedDependency(Simulation simulation, string name, DependencyBehaviour behaviour)
    {
        Name = name;
        _simulation = simulation;
        _processor = new(simulation.Time, n => Behaviour().SpeedOf(n));
        From(TimeSpan.Zero, behaviour);
    }

    private const int Classes = (int)Criticality.CriticalPlus + 1;

    /// <summary>The name, as in the trace.</summary>
    public string Name { get; }

    /// <summary>Requests that have arrived: first attempts and retries alike.</summary>
    public long Arrivals => Total.Arrivals;

    /// <summary>Requests whose operation was done, whether or not the reply was received.</summary>
    public long Operations => Total.Operations;

    /// <summary>Requests that were served although their callers had given up before the answer, by a timeout or a cancellation. What a
    /// dependency that is short of capacity spends on them is lost to all. See <see cref="DependencyBehaviour.AbandonedAfter"/>.</summary>
    public long Abandoned => Total.Abandoned;

    /// <summary>Requests of all classes.</summary>
    public RequestCounts Total
    {
        get
        {
            lock (_gate)
            {
                RequestCounts total = default;
                foreach (RequestCounts counts in _counts) total = total.Plus(counts);
                return total;
            }
        }
    }

    /// <summary>Requests that are being served now.</summary>
    public int Serving
    {
        get
        {
            lock (_gate) return _serving;
        }
    }

    /// <summary>Requests that wait for their turn now.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _waitingNow;
        }
    }

    /// <summary>Requests of one class of criticality.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public RequestCounts CountsOf(Criticality criticality)
    {
        if ((uint)criticality >= Classes) throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
        lock (_gate) return _counts[(int)criticality];
    }

    /// <summary>From this moment on it behaves so; requests that are being served end as they would have.</summary>
    /// <param name="moment">Virtual time since the simulation began.</param>
    /// <param name="behaviour">What it does then, until the next moment of the script.</param>
    /// <exception cref="ArgumentOutOfRangeException">The moment is negative, or the behaviour is out of range.</exception>
    public SimulatedDependency From(TimeSpan moment, DependencyBehaviour behaviour)
    {
        ArgumentNullException.ThrowIfNull(behaviour);
        ArgumentOutOfRangeException.ThrowIfLessThan(moment, TimeSpan.Zero);
        behaviour.ThrowIfInvalid();
        lock (_gate) _script[moment] = behaviour;
        if (moment > TimeSpan.Zero) _simulation.At(moment, Change);
        return this;
    }

    /// <summary>One request: ends when the dependency answers, fails, or the token is cancelled.</summary>
    public Task CallAsync(CancellationToken cancellationToken = default) => CallAsync(static () => true, cancellationToken);

    /// <summary>One request of which the dependency is told more: its class, what its caller still waits.</summary>
    public Task CallAsync(CallInfo call, CancellationToken cancellationToken = default) => CallAsync(call, static () => true, cancellationToken);

    /// <summary>One request with an answer, which is made at the moment the operation is done.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; the request goes on all the same, unless the dependency honors it.</exception>
    public Task<T> CallAsync<T>(Func<T> operation, CancellationToken cancellationToken = default) => CallAsync(CallInfo.Default, operation, cancellationToken);

    /// <inheritdoc cref="CallAsync{T}(Func{T}, CancellationToken)"/>
    public Task<T> CallAsync<T>(CallInfo call, Func<T> operation, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentNullException.ThrowIfNull(operation);
        return Enter(new SimulatedRequest<T>(call, operation), cancellationToken);
    }

    /// <summary>One request to a service: after its own time the handler works, in the place of the request.</summary>
    internal Task HandleAsync(CallInfo call, Func<CallInfo, CancellationToken, ValueTask> handler, CancellationToken cancellationToken) =>
        Enter(new SimulatedRequest<bool>(call, static () => true) { Handler = handler }, cancellationToken);

    private Task<T> Enter<T>(SimulatedRequest<T> request, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<T>(cancellationToken);
        bool isOverflow = false;
        int waiting;
        DependencyBehaviour now = Behaviour();
        request.Behaviour = now;
        lock (_gate)
        {
            ref RequestCounts counts = ref CountsOf(request);
            counts = counts with { Arrivals = counts.Arrivals + 1 };
            if (_serving < PlacesOf(now)) _serving++;
            else if (now.Discipline == ServingDiscipline.InTurn && _waitingNow < (now.MaxQueued ?? int.MaxValue)) request.IsWaiting = true;
            else isOverflow = true;
            if (isOverflow) counts = counts with { Overflowed = counts.Overflowed + 1 };
            if (request.IsWaiting)
            {
                _waiting.Enqueue(request);
                _waitingNow++;
            }

            waiting = _waitingNow;
        }

        _simulation.CountArrival(waiting);
        if (isOverflow) return Task.FromException<T>(now.Failure());
        if (!request.IsWaiting) Serve(request);
        return request.Answer(this, cancellationToken);
    }

    /// <summary>The caller has given up.</summary>
    internal void GiveUp(SimulatedRequest request)
    {
        bool isOut = false, hadPlace = false;
        lock (_gate)
        {
            request.LeftAt ??= _simulation.Time.Elapsed;
            if (request.Behaviour.HonorsCancellation && !request.IsOver)
            {
                (isOut, hadPlace) = (true, !request.IsWaiting);
                request.IsOver = true;
                if (hadPlace) _serving--;
                else _waitingNow--;
                ref RequestCounts counts = ref CountsOf(request);
                counts = counts with { Cancelled = counts.Cancelled + 1 };
            }
        }

        if (isOut) request.Timer?.Dispose();
        if (isOut && request.Work is { } work) _processor.Drop(work);
        if (hadPlace) ServeWaiting();
        request.Leave(request.Cancelled);
    }

    private static int PlacesOf(DependencyBehaviour behaviour)
    {
        if (behaviour.Capacity is not { } capacity) return int.MaxValue;
        if (behaviour.Discipline == ServingDiscipline.InTurn) return capacity;
        return behaviour.MaxQueued is { } more ? (int)Math.Min(int.MaxValue, (long)capacity + more) : int.MaxValue;
    }

    private ref RequestCounts CountsOf(SimulatedRequest request) => ref _counts[(int)request.Call.Criticality];

    private DependencyBehaviour Behaviour()
    {
        TimeSpan now = _simulation.Time.Elapsed;
        lock (_gate)
        {
            for (int i = _script.Count - 1; i > 0; i--)
            {
                if (_script.GetKeyAtIndex(i) <= now) return _script.GetValueAtIndex(i);
            }

            return _script.GetValueAtIndex(0);
        }
    }

    /// <summary>The script goes on: with more capacity than before, those who wait go on too.</summary>
    private void Change()
    {
        _processor.Renew();
        ServeWaiting();
    }

    private void Serve(SimulatedRequest request)
    {
        DependencyBehaviour behaviour = request.Behaviour = Behaviour();
        double fate = _simulation.Randomness.NextDouble();
        TimeSpan latency = behaviour.Draw(_simulation.Randomness);
        if (behaviour.Discipline == ServingDiscipline.SharedProcessor)
            request.Work = _processor.Begin(latency, () => End(request, behaviour, fate));
        else
            request.Timer = _simulation.Time.CreateWorldTimer(_ => End(request, behaviour, fate), latency * behaviour.Slowdown(Serving));
    }

    private void End(SimulatedRequest request, DependencyBehaviour behaviour, double fate)
    {
        request.Timer?.Dispose();
        if (request.Handler is { } handler && fate >= behaviour.FailureRate) _ = WorkAsync(request, behaviour, fate, handler);
        else if (TryFree(request)) Answer(request, behaviour, fate);
    }

    /// <summary>The handler of a service works in the place of the request.</summary>
    private async Task WorkAsync(
        SimulatedRequest request, DependencyBehaviour behaviour, double fate, Func<CallInfo, CancellationToken, ValueTask> handler)
    {
        Exception? error = null;
        try
        {
            await handler(request.Call, behaviour.HonorsCancellation ? request.Cancelled : CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception thrown)
        {
            error = thrown;
        }

        if (behaviour.HonorsCancellation && request.Cancelled.IsCancellationRequested)
        {
            GiveUp(request); // callbacks of a token run newest first: what the handler called has heard of it before us
            return;
        }

        if (!TryFree(request)) return;
        if (error is null) Answer(request, behaviour, fate);
        else request.Fail(error);
    }

    /// <summary>The request leaves its place. False: it had left before, with its caller.</summary>
    private bool TryFree(SimulatedRequest request)
    {
        int waiting;
        bool isAbandoned;
        lock (_gate)
        {
            if (request.IsOver) return false;
            request.IsOver = true;
            _serving--;
            waiting = _waitingNow;
            isAbandoned = request.LeftAt is { } left && _simulation.Time.Elapsed - left >= request.Behaviour.AbandonedAfter;
            ref RequestCounts counts = ref CountsOf(request);
            if (isAbandoned) counts = counts with { Abandoned = counts.Abandoned + 1 };
        }

        _simulation.CountServed(isAbandoned, waiting);
        ServeWaiting();
        return true;
    }

    private void Answer(SimulatedRequest request, DependencyBehaviour behaviour, double fate)
    {
        if (fate < behaviour.FailureRate)
        {
            request.Fail(behaviour.Failure());
            return;
        }

        lock (_gate)
        {
            ref RequestCounts counts = ref CountsOf(request);
            counts = counts with { Operations = counts.Operations + 1 };
        }

        fate -= behaviour.FailureRate;
        if (fate < behaviour.LostReplyRate) request.Lose(behaviour.Failure());
        else request.Succeed(isReplyDelivered: fate >= behaviour.LostReplyRate + behaviour.HangRate);
    }

    private void ServeWaiting()
    {
        while (true)
        {
            SimulatedRequest? next;
            DependencyBehaviour now = Behaviour();
            lock (_gate)
            {
                while (_waiting.TryPeek(out next) && next.IsOver) _waiting.Dequeue();
                if (next is null || _serving >= PlacesOf(now)) return;
                _waiting.Dequeue();
                _waitingNow--;
                next.IsWaiting = false;
                _serving++;
            }

            Serve(next);
        }
    }
}
