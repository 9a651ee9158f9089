namespace Resilience;

/// <summary>When the next attempt of a race starts by itself, and before when none may start. Pure: it is told what time it is.</summary>
/// <param name="DueMs">When the next attempt is due; <see cref="Clock.Never"/>: only after a failure.</param>
/// <param name="HeldUntilMs">What the servers have asked for so far; <see cref="Clock.Never"/>: nothing starts any more.</param>
/// <remarks>
/// <code>
///  an attempt began ─────────────────────────► due: its delay from now
///  a failure that asks for nothing ──────────► due now
///  a failure that says n ms ─────────────────► due in exactly n ms (gRFC A6), and nothing before; n may be 0
///  a failure that asks for patience (429)
///     and does not say how long ─────────────► nothing before what is due now; nothing at all where that is not ahead
///
///     t=0        8            20         108
///  #0 ├──────────┼─ 429, 100 ms
///  #1    ├───────┼────────────┼─ 500         the 500 would start the next one now, but the first server is still waited for
///  #2            │            │          ├─── starts here
///                └─── held ───┴──────────┘
/// </code>
/// The hold is that of all attempts of the race: a failure of one does not shorten what another has asked for.
/// </remarks>
internal readonly record struct HedgingSchedule(long DueMs, long HeldUntilMs)
{
    /// <summary>Before the first attempt.</summary>
    internal static HedgingSchedule Empty => new(Clock.Never, long.MinValue);

    /// <summary>When the next attempt starts.</summary>
    internal long NextMs => Math.Max(DueMs, HeldUntilMs);

    /// <summary>Whether nothing may start yet.</summary>
    internal bool IsHeld(long nowMs) => HeldUntilMs > nowMs;

    /// <summary>An attempt began.</summary>
    internal HedgingSchedule OnStarted(long nowMs, long delayMs) => this with { DueMs = After(nowMs, delayMs) };

    /// <summary>An attempt failed, and another may start because of it.</summary>
    internal HedgingSchedule OnFailed(long nowMs) => this with { DueMs = Math.Min(DueMs, nowMs) };

    /// <summary>An attempt failed and says when to come back.</summary>
    internal HedgingSchedule OnAsked(long nowMs, long waitMs)
    {
        long asked = After(nowMs, waitMs);
        return new(asked, Math.Max(HeldUntilMs, asked));
    }

    /// <summary>An attempt failed, asks for patience and does not say for how long.</summary>
    internal HedgingSchedule OnThrottled(long nowMs) => this with { HeldUntilMs = NextMs > nowMs ? NextMs : Clock.Never };

    private static long After(long nowMs, long waitMs) => waitMs >= Clock.Never - Math.Max(nowMs, 0) ? Clock.Never : nowMs + waitMs;
}
