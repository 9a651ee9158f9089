namespace Resilience;

/// <summary>The wait between two attempts. Never throws; ends early only when the call is cancelled.</summary>
internal static class RetryWait
{
    private const int MaxRounds = 4; // the second is the last but for a provider of time whose timers and timestamps disagree

    /// <summary>Waits at least as long as said. A timer measures with the coarse clock and may be a tick early: a wait that a server
    /// asked for is checked against the fine one.</summary>
    internal static Task ForAsync(TimeSpan delay, bool isExact, Clock clock, CancellationToken cancellationToken) =>
        isExact ? ForExactlyAsync(delay, clock, cancellationToken) : ClockWait.ForAsync(clock, delay, cancellationToken);

    private static async Task ForExactlyAsync(TimeSpan delay, Clock clock, CancellationToken cancellationToken)
    {
        long start = clock.Timestamp;
        TimeSpan left = delay;
        for (int round = 0; left > TimeSpan.Zero && round < MaxRounds && !cancellationToken.IsCancellationRequested; round++)
        {
            await ClockWait.ForAsync(clock, left, cancellationToken).ConfigureAwait(false);
            left = delay - clock.ElapsedSince(start);
        }
    }
}
