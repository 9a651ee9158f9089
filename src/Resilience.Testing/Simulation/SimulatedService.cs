using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>A service in a simulation: one or more replicas, each of which takes its own time for a request and then runs a handler, which may call
/// others.</summary>
/// <remarks>
/// The place of a request is held until its handler has ended, as a worker or a connection is. A replica behaves by its own script: give one of them another
/// with <see cref="SimulatedDependency.From"/>. The handler's token is the caller's where the replica honors cancellation, and none otherwise. Thread-safe.
/// </remarks>
public sealed class SimulatedService
{
    private readonly Simulation _simulation;
    private readonly Func<CallInfo, CancellationToken, ValueTask> _handler;
    private int _last = -1;

    internal SimulatedService(
        Simulation simulation, string name, DependencyBehaviour behaviour, Func<CallInfo, CancellationToken, ValueTask> handler, int replicas)
    {
        Name = name;
        _simulation = simulation;
        _handler = handler;
        Replicas = [.. Enumerable.Range(0, replicas).Select(i => simulation.AddDependency(replicas == 1 ? name : $"{name} {i + 1}", behaviour))];
    }

    /// <summary>The name, as in the trace.</summary>
    public string Name { get; }

    /// <summary>The replicas, in their order.</summary>
    public IReadOnlyList<SimulatedDependency> Replicas { get; }

    /// <summary>Requests of all replicas and classes.</summary>
    public RequestCounts Total => Replicas.Aggregate(default(RequestCounts), static (sum, r) => sum.Plus(r.Total));

    /// <summary>Requests of one class of criticality, at all replicas.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public RequestCounts CountsOf(Criticality criticality) =>
        Replicas.Aggregate(default(RequestCounts), (sum, r) => sum.Plus(r.CountsOf(criticality)));

    /// <summary>One request, to the replicas in turn, as a simple load balancer sends them.</summary>
    public Task CallAsync(CancellationToken cancellationToken = default) => CallAsync(CallInfo.Default, cancellationToken);

    /// <summary>One request of which the service is told more, to the replicas in turn.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="call"/> is null.</exception>
    public Task CallAsync(CallInfo call, CancellationToken cancellationToken = default) =>
        CallAsync((int)((uint)Interlocked.Increment(ref _last) % (uint)Replicas.Count), call, cancellationToken);

    /// <summary>One request to one replica.</summary>
    /// <param name="replica">Which, from 0.</param>
    /// <param name="call">What the service is told.</param>
    /// <param name="cancellationToken">The caller gives up.</param>
    /// <exception cref="ArgumentNullException"><paramref name="call"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such replica.</exception>
    public Task CallAsync(int replica, CallInfo call, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(call);
        ArgumentOutOfRangeException.ThrowIfNegative(replica);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(replica, Replicas.Count);
        return Replicas[replica].HandleAsync(call with { Replica = replica, ArrivedAt = _simulation.Time.Elapsed }, _handler, cancellationToken);
    }
}
