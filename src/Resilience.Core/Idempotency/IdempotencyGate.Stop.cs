namespace Resilience.Idempotency;

/// <content>How a gate stops, so that a deployment delays no caller by a lease.</content>
public sealed partial class IdempotencyGate
{
    /// <summary>How often it is looked whether everything has ended.</summary>
    private static readonly TimeSpan StopPause = TimeSpan.FromMilliseconds(20);

    /// <summary>How long those who are told to stop may take to do so.</summary>
    private static readonly TimeSpan LastMoments = TimeSpan.FromSeconds(1);

    private volatile bool _isStopping;

    /// <summary>True after <see cref="BeginStopping"/>.</summary>
    public bool IsStopping => _isStopping;

    /// <summary>From now on nothing new is begun: who asks receives the outcome if there is one, otherwise <see cref="IdempotencyStatus.Stopping"/>. What
    /// runs goes on. A claim that is held from now on lapses at once: its call has ended, and no other process has to wait for its lease.</summary>
    /// <remarks>Gates made by <see cref="For"/> stop too. A host does this for the gates of its container. It cannot be taken back.</remarks>
    public void BeginStopping()
    {
        _isStopping = true;
        foreach (IdempotencyGate gate in _underTerms.Values) gate.BeginStopping();
    }

    /// <summary>Begins nothing new, waits until what runs has ended and what was to be told to the store was told, and then tells those who still run to
    /// stop (<see cref="IdempotencyClaim.LeaseLost"/>).</summary>
    /// <param name="cancellationToken">Ends the wait: those who run then have another second. A claim whose call has not ended by then keeps its lease,
    /// because another process must not begin beside it.</param>
    /// <remarks>A host does this for the gates of its container, when its servers have stopped. Dispose of the gate afterwards.</remarks>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        BeginStopping();
        while (HasOpen && !cancellationToken.IsCancellationRequested) await ClockWait.ForAsync(_clock, StopPause, cancellationToken).ConfigureAwait(false);
        if (!HasOpen) return;
        TellToStop();
        for (long end = Clock.After(_clock.NowMs, LastMoments); HasOpen && _clock.NowMs < end;)
            await ClockWait.ForAsync(_clock, StopPause, CancellationToken.None).ConfigureAwait(false);
    }

    private bool HasOpen => _claims.Count > 0 || _store.IsBusyInBackground || _underTerms.Values.Any(static gate => gate.HasOpen);

    /// <summary>Each by itself: what hears of it is a user's, and may hold up the thread. On a user's time it happens here.</summary>
    private void TellToStop()
    {
        foreach (IdempotencyClaim claim in _claims.All())
        {
            if (_clock.IsSystem) _clock.Post(new StopNotification(claim));
            else claim.TellToStop();
        }

        foreach (IdempotencyGate gate in _underTerms.Values) gate.TellToStop();
    }

    private sealed class StopNotification(IdempotencyClaim claim) : IThreadPoolWorkItem
    {
        public void Execute() => claim.TellToStop();
    }

    /// <summary>While the gate stops: an outcome that there is, and no claim.</summary>
    private async ValueTask<IdempotencyResult> LookOnlyAsync(IdempotencyClaim claim)
    {
        IdempotencyResult entry = default;
        try
        {
            entry = await ReadOutcomeAsync(claim.Id, claim.Fingerprint).ConfigureAwait(false);
            if (entry.Status == IdempotencyStatus.Busy) entry = IdempotencyResult.Stopping;
        }
        finally
        {
            Leave(claim, entry);
        }

        return entry;
    }
}
