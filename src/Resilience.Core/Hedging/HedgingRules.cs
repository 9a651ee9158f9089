namespace Resilience;

/// <summary>When the next attempt of a race starts, and what ends the race. Pure: no time, no tasks, no user code.</summary>
/// <remarks>
/// <code>
///                      Success, Ignored, final failure ─────────────► EndWithThis (the others are cancelled)
///  an attempt ended ── Failure ──── an attempt is left ─────────────► Start
///                      Failure that asks for patience ──────────────► Wait, where an attempt is left (how long: HedgingSchedule)
///                      Failure that asks for too much patience ─────► the race is closed: Wait or EndWithKept
///                      Rejected ─── an attempt is left ─────────────► StartElsewhere (only on another route)
///                      otherwise ── others are under way ───────────► Wait
///                                 └ none is ────────────────────────► EndWithKept
///  the delay is over ────────────── an attempt is left ─────────────► Start
///  a start was skipped ─ the race is closed: nothing starts any more ─► Wait or EndWithKept
/// </code>
/// </remarks>
internal readonly struct HedgingRules(int maxAttempts)
{
    /// <summary>A race does not wait longer than this for a server that asks for patience: as long as a retry does by default.</summary>
    internal static readonly TimeSpan MaxPatience = TimeSpan.FromMinutes(1);

    internal int MaxAttempts => maxAttempts;

    /// <summary>May another attempt start by itself, when the delay is over?</summary>
    internal bool MayStart(HedgingState state) => !state.IsClosed && state.Started < maxAttempts;

    /// <summary>An attempt began.</summary>
    internal static HedgingState OnStarted(HedgingState state) => state with { Started = state.Started + 1, Running = state.Running + 1 };

    /// <summary>An attempt ended.</summary>
    /// <param name="state">Where the race stood.</param>
    /// <param name="verdict">How it ended.</param>
    /// <param name="weight">What a failure asks for.</param>
    internal (HedgingState Next, HedgingMove Move) OnEnded(HedgingState state, Verdict verdict, HedgingWeight weight = HedgingWeight.Usual)
    {
        HedgingState next = state with { Running = state.Running - 1 };
        return verdict switch
        {
            Verdict.Success or Verdict.Ignored => (next with { IsClosed = true }, HedgingMove.EndWithThis),
            Verdict.Failure or Verdict.Rejected when weight == HedgingWeight.Final => (next with { IsClosed = true }, HedgingMove.EndWithThis),
            Verdict.Failure when weight == HedgingWeight.TooPatient => OnSkipped(next),
            Verdict.Failure when MayStart(next) => (next, weight == HedgingWeight.Patient ? HedgingMove.Wait : HedgingMove.Start),
            Verdict.Rejected when MayStart(next) => (next, HedgingMove.StartElsewhere),
            _ => (next, Rest(next)),
        };
    }

    /// <summary>The attempt that began last has had its time.</summary>
    internal HedgingMove OnDelay(HedgingState state) => MayStart(state) ? HedgingMove.Start : Rest(state);

    /// <summary>The attempt that should have started must not.</summary>
    internal static (HedgingState Next, HedgingMove Move) OnSkipped(HedgingState state)
    {
        HedgingState next = state with { IsClosed = true };
        return (next, Rest(next));
    }

    private static HedgingMove Rest(HedgingState state) => state.Running > 0 ? HedgingMove.Wait : HedgingMove.EndWithKept;
}
