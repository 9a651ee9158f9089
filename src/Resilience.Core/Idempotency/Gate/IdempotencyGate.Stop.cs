namespace Resilience.Idempotency;

/// <content>How a gate stops, so that a deployment delays no caller by a lease.</content>
public sealed partial class IdempotencyGate
{
    private volatile bool _isStopping;

    /// <summary>True after <see cref="BeginStopping"/>.</summary>
    public bool IsStopping => _isStopping;

    /// <summary>From now on nothing new is begun: who asks receives the outcome if there is one, otherwise <see cref="IdempotencyStatus.Stopping"/>. What
    /// runs goes on. A claim that is held from now on lapses at once: its call has ended, and no other process has to wait for its lease.</summary>
    /// <remarks>Gates made by <see cref="For"/> stop too. A host does this for the gates of its container. It cannot be taken back.</remarks>
    public void BeginStopping()
    {
        _isStopping = true;
        foreach (IdempotencyGate gate in UnderTerms) gate.BeginStopping();
    }

    /// <summary>Begins nothing new, waits until what runs has ended and what was to be told to the store was told, and then tells those who still run to
    /// stop (<see cref="IdempotencyClaim.LeaseLost"/>).</summary>
    /// <param name="cancellationToken">Ends the wait: those who run then have another second. A claim whose call has not ended by then keeps its lease,
    /// because another process must not begin beside it.</param>
    /// <remarks>A host does this for the gates of its container, when its servers have stopped. Dispose of the gate afterwards.</remarks>
    public Task StopAsync(CancellationToken cancellationToken = default) => GateStop.RunAsync(this, cancellationToken);
}
