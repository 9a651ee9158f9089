namespace Resilience.Idempotency;

/// <summary>How a gate stops, so that a deployment delays no caller by a lease.</summary>
internal static class GateStop
{
    /// <summary>How often it is looked whether everything has ended.</summary>
    private static readonly TimeSpan StopPause = TimeSpan.FromMilliseconds(20);

    /// <summary>How long those who are told to stop may take to do so.</summary>
    private static readonly TimeSpan LastMoments = TimeSpan.FromSeconds(1);

    internal static async Task RunAsync(IdempotencyGate gate, CancellationToken cancellationToken)
    {
        gate.BeginStopping();
        while (HasOpen(gate) && !cancellationToken.IsCancellationRequested)
            await ClockWait.ForAsync(gate.Clock, StopPause, cancellationToken).ConfigureAwait(false);
        if (!HasOpen(gate)) return;
        TellToStop(gate);
        for (long end = Clock.After(gate.Clock.NowMs, LastMoments); HasOpen(gate) && gate.Clock.NowMs < end;)
            await ClockWait.ForAsync(gate.Clock, StopPause, CancellationToken.None).ConfigureAwait(false);
    }

    private static bool HasOpen(IdempotencyGate gate) => gate.Claims.Count > 0 || gate.Calls.IsBusyInBackground || gate.UnderTerms.Any(HasOpen);

    /// <summary>Each by itself: what hears of it is a user's, and may hold up the thread. On a user's time it happens here.</summary>
    private static void TellToStop(IdempotencyGate gate)
    {
        foreach (IdempotencyClaim claim in gate.Claims.All())
        {
            if (gate.Clock.IsSystem) gate.Clock.Post(new StopNotification(claim));
            else claim.TellToStop();
        }

        foreach (IdempotencyGate under in gate.UnderTerms) TellToStop(under);
    }

    private sealed class StopNotification(IdempotencyClaim claim) : IThreadPoolWorkItem
    {
        public void Execute() => claim.TellToStop();
    }
}
