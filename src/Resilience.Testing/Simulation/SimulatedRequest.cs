namespace Resilience.Testing;

/// <summary>One request at a simulated dependency.</summary>
internal abstract class SimulatedRequest(CallInfo call)
{
    internal CallInfo Call => call;

    /// <summary>What the dependency does with it; from its arrival, and again from when it is served.</summary>
    internal DependencyBehaviour Behaviour = null!;

    internal bool IsWaiting; // this and the next are guarded by the dependency's lock
    internal bool IsOver; // it has left its place, or the queue
    internal TimeSpan? LeftAt; // when its caller gave up
    internal ITimer? Timer;
    internal SharedProcessor.Work? Work;
    internal CancellationToken Cancelled;

    /// <summary>The work of a service, after its own time: in its place.</summary>
    internal Func<CallInfo, CancellationToken, ValueTask>? Handler;

    internal abstract void Succeed(bool isReplyDelivered);

    internal abstract void Lose(Exception error);

    internal abstract void Fail(Exception error);

    internal abstract void Leave(CancellationToken cancellationToken);
}

/// <summary>Its waiter goes on inline, on the thread of the simulation, so that the order of things follows from the seed.</summary>
internal sealed class SimulatedRequest<T>(CallInfo call, Func<T> operation) : SimulatedRequest(call)
{
    private readonly TaskCompletionSource<T> _answer = new();
    private CancellationTokenRegistration _registration;

    /// <summary>Ends with the request, or when the token is cancelled.</summary>
    internal Task<T> Answer(SimulatedDependency dependency, CancellationToken cancellationToken)
    {
        Cancelled = cancellationToken;
        if (cancellationToken.CanBeCanceled && !_answer.Task.IsCompleted)
        {
            _registration = cancellationToken.UnsafeRegister(
                static (s, _) =>
                {
                    (SimulatedDependency where, SimulatedRequest<T> request) = ((SimulatedDependency, SimulatedRequest<T>))s!;
                    where.GiveUp(request);
                },
                (dependency, this));
        }

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
        _registration.Dispose();
        _answer.TrySetResult(answer);
    }

    internal override void Lose(Exception error)
    {
        Succeed(isReplyDelivered: false);
        Fail(error);
    }

    internal override void Fail(Exception error)
    {
        _registration.Dispose();
        _answer.TrySetException(error);
    }

    internal override void Leave(CancellationToken cancellationToken) => _answer.TrySetCanceled(cancellationToken);
}
