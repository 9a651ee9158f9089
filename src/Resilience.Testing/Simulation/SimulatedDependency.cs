namespace Resilience.Testing;

/// <summary>A remote party in a simulation: takes requests, takes its virtual time, answers or fails as its script says.</summary>
/// <remarks>
/// Like a server elsewhere it does not notice that a caller has given up: an abandoned request still takes its turn and its time. That is what
/// makes retries dangerous to a dependency that is short of capacity. Thread-safe.
/// </remarks>
public sealed class SimulatedDependency
{
    private readonly Simulation _simulation;
    private readonly Lock _gate = new(); // guards counts and queue; no foreign code runs under it
    private readonly Queue<Request> _waiting = new();
    private readonly SortedList<TimeSpan, DependencyBehaviour> _script = [];
    private int _serving;

    internal SimulatedDependency(Simulation simulation, string name, DependencyBehaviour behaviour)
    {
        Name = name;
        _simulation = simulation;
        From(TimeSpan.Zero, behaviour);
    }

    /// <summary>The name, as in the trace.</summary>
    public string Name { get; }

    /// <summary>Requests that have arrived: first attempts and retries alike.</summary>
    public long Arrivals { get; private set; }

    /// <summary>Requests whose operation was done, whether or not the reply was received.</summary>
    public long Operations { get; private set; }

    /// <summary>Requests that were served although their callers had given up before the answer, by a timeout or a cancellation. What a
    /// dependency that is short of capacity spends on them is lost to all.</summary>
    public long Abandoned { get; private set; }

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
            lock (_gate) return _waiting.Count;
        }
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
        if (moment > TimeSpan.Zero) _simulation.At(moment, ServeWaiting); // more capacity than before: those who wait go on
        return this;
    }

    /// <summary>One request: ends when the dependency answers, fails, or the token is cancelled.</summary>
    public Task CallAsync(CancellationToken cancellationToken = default) => CallAsync(static () => true, cancellationToken);

    /// <summary>One request with an answer, which is made at the moment the operation is done.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled; the request goes on all the same.</exception>
    public Task<T> CallAsync<T>(Func<T> operation, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        if (cancellationToken.IsCancellationRequested) return Task.FromCanceled<T>(cancellationToken);
        Request<T> request = new(operation);
        bool isRejected = false;
        int waiting;
        lock (_gate)
        {
            Arrivals++;
            DependencyBehaviour now = Behaviour();
            if (_serving < (now.Capacity ?? int.MaxValue)) _serving++;
            else if (_waiting.Count < (now.MaxQueued ?? int.MaxValue)) request.IsWaiting = true;
            else isRejected = true;
            if (request.IsWaiting) _waiting.Enqueue(request);
            waiting = _waiting.Count;
        }

        _simulation.CountArrival(waiting);
        if (isRejected) return Task.FromException<T>(Behaviour().Failure());
        if (!request.IsWaiting) Serve(request);
        return request.Answer(cancellationToken);
    }

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

    private void Serve(Request request)
    {
        DependencyBehaviour behaviour = Behaviour();
        double fate = _simulation.Randomness.NextDouble();
        TimeSpan latency = Draw(behaviour);
        request.Timer = _simulation.Time.CreateWorldTimer(_ => End(request, behaviour, fate), latency);
    }

    private TimeSpan Draw(DependencyBehaviour behaviour)
    {
        double factor = behaviour.Spread switch
        {
            LatencySpread.Uniform => 2 * _simulation.Randomness.NextDouble(),
            LatencySpread.Exponential => -Math.Log(1 - _simulation.Randomness.NextDouble()),
            _ => 1,
        };
        return behaviour.Latency * factor;
    }

    private void End(Request request, DependencyBehaviour behaviour, double fate)
    {
        request.Timer?.Dispose();
        int waiting;
        lock (_gate)
        {
            _serving--;
            waiting = _waiting.Count;
            if (request.IsAbandoned) Abandoned++;
        }

        _simulation.CountServed(request.IsAbandoned, waiting);
        ServeWaiting();
        if (fate < behaviour.FailureRate)
        {
            request.Fail(behaviour.Failure());
            return;
        }

        lock (_gate) Operations++;
        fate -= behaviour.FailureRate;
        if (fate < behaviour.LostReplyRate) request.Lose(behaviour.Failure());
        else request.Succeed(isReplyDelivered: fate >= behaviour.LostReplyRate + behaviour.HangRate);
    }

    private void ServeWaiting()
    {
        while (true)
        {
            Request? next;
            lock (_gate)
            {
                if (_serving >= (Behaviour().Capacity ?? int.MaxValue) || !_waiting.TryDequeue(out next)) return;
                _serving++;
            }

            Serve(next);
        }
    }

    private abstract class Request
    {
        internal bool IsWaiting;
        internal ITimer? Timer;

        internal abstract bool IsAbandoned { get; }

        internal abstract void Succeed(bool isReplyDelivered);

        internal abstract void Lose(Exception error);

        internal abstract void Fail(Exception error);
    }

    /// <summary>Its waiter goes on inline, on the thread of the simulation, so that the order of things follows from the seed.</summary>
    private sealed class Request<T>(Func<T> operation) : Request
    {
        private readonly TaskCompletionSource<T> _answer = new();
        private CancellationTokenRegistration _cancelled;

        internal override bool IsAbandoned => _answer.Task.IsCompleted;

        internal Task<T> Answer(CancellationToken cancellationToken)
        {
            _cancelled = cancellationToken.UnsafeRegister(static (a, token) => ((TaskCompletionSource<T>)a!).TrySetCanceled(token), _answer);
            return _answer.Task;
        }

        internal override void Succeed(bool isReplyDelivered)
        {
            T answer;
            try
            {
                answer = operation();
            }
            catch (Exception error)
            {
                Fail(error);
                return;
            }

            if (!isReplyDelivered) return;
            _cancelled.Dispose();
            _answer.TrySetResult(answer);
        }

        internal override void Lose(Exception error)
        {
            Succeed(isReplyDelivered: false);
            Fail(error);
        }

        internal override void Fail(Exception error)
        {
            _cancelled.Dispose();
            _answer.TrySetException(error);
        }
    }
}
