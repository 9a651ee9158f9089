using System.Diagnostics;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>One epoch of one state of a circuit, from one transition to the next. Its identity is the epoch.</summary>
/// <remarks>
/// <para>
/// The whole truth about a breaker is one reference, <c>CircuitBreaker._epoch</c>, changed by one compare-and-swap. State,
/// epoch, deadline, cause and growth level lie in this immutable object behind it, so they can never be seen torn; a permit
/// holds the epoch it was given in, and "is this result late?" is one comparison of references. Since the garbage collector
/// does not reuse an object that a permit still holds, an epoch cannot wrap within a call's life, however long the call
/// hangs: the ABA problem does not exist here. (Decision 0002 weighs this against packing everything into one word.)
/// </para>
/// <para>What does change within an epoch is three words, each on its own and each harmless once the epoch is over:
/// <see cref="Probes"/> (half open), <see cref="Run"/> and <see cref="RampCount"/> (closed).</para>
/// </remarks>
internal sealed class CircuitEpoch
{
    internal readonly CircuitState State;

    /// <summary>Number of the epoch, from 1.</summary>
    internal readonly long Epoch;

    /// <summary>When it began, on the breaker's clock (ms since the breaker was made).</summary>
    internal readonly long SinceMs;

    /// <summary>Open: when probing may begin. Closed: when the ramp ends, 0 without a ramp. Otherwise unused.</summary>
    internal readonly long UntilMs;

    /// <summary>How often the circuit has relapsed up to here: the exponent of the break's growth. -1: it has never been open.</summary>
    internal readonly int Level;

    /// <summary>How many breaks have followed each other up to here, each span of health having taken one back.</summary>
    internal readonly int Breaks;

    /// <summary>Added to every slot number of the windows, so that what was counted in earlier epochs lies outside of them.</summary>
    internal readonly uint SlotBase;

    internal readonly TripCause Cause;

    /// <summary>What callers are told when this epoch rejects them.</summary>
    internal readonly CircuitRejection? Rejection;

    /// <summary>Half open: the probes; see <see cref="ProbeWord"/>. Changed by compare-and-swap only.</summary>
    internal long Probes;

    /// <summary>Closed: failures in a row; see <see cref="FailureRun"/>. Changed by compare-and-swap only.</summary>
    internal FailureRun Run;

    /// <summary>Closed, ramping: calls that have asked so far.</summary>
    internal int RampCount;

    /// <summary>Closed, when slow calls are watched: the calls that are under way. Made by the first that needs it.</summary>
    internal CallsInFlight? InFlight;

    /// <summary>When the failure that was counted last has asked to be called again, on the breaker's clock; 0: it did not say.</summary>
    private long _askedMs;

    /// <summary>What the failure that was counted last has thrown, or the name of its result; null where no listener wants to know.</summary>
    internal object? LastFailure;

    /// <summary>The epoch that followed. Written by the thread that made the change, read and cleared by the one that delivers events in order.</summary>
    internal CircuitEpoch? Successor;

    internal CircuitEpoch(
        CircuitState state, long epoch, long sinceMs, long untilMs, int level, uint slotBase,
        TripCause cause, CircuitRejection? rejection, ProbeWord probes = default, int breaks = 0)
    {
        Debug.Assert(epoch > 0, "Epochs count from one: zero is the epoch of a default permit.");
        Debug.Assert(state != CircuitState.Open || untilMs > sinceMs, "An open circuit has a time at which it may be probed.");
        State = state;
        Epoch = epoch;
        SinceMs = sinceMs;
        UntilMs = untilMs;
        Level = level;
        SlotBase = slotBase;
        Cause = cause;
        Rejection = rejection;
        Probes = probes.Bits;
        Breaks = breaks;
    }

    /// <summary>A failure is about to be counted: what it has asked for stands here before it can open the circuit, on whichever thread.</summary>
    internal void Ask(BreakerSettings settings, long nowMs, long askedMs)
    {
        // Release: before the count of the failure, which is a full fence. Of failures at the same instant any may be the last.
        if (settings.HearsRetryAfter) Volatile.Write(ref _askedMs, askedMs > 0 ? nowMs + Math.Min(askedMs, Clock.Never / 2) : 0);
    }

    /// <summary>Until when the dependency has asked not to be called; 0 when it has not, or does not count.</summary>
    internal long AskedUntil(BreakerSettings settings, TripRule rule) => settings.HearsRetryAfter
        && rule is TripRule.FailureRatio or TripRule.ConsecutiveFailures or TripRule.ProbeFailed ? Volatile.Read(ref _askedMs) : 0;

    /// <summary>Where calls that begin now are counted. Made by the first call, and made anew by the first that meets another threshold.</summary>
    internal static CallsInFlight InFlightOf(CircuitEpoch epoch, BreakerSettings settings)
    {
        CallsInFlight? seen = Volatile.Read(ref epoch.InFlight);
        while (seen is null || (seen.ThresholdMs != settings.SlowCallMs && seen.Version < settings.Version))
        {
            // Full fence: the ring is whole before it can be found. A ring of newer settings is never replaced by one of older settings.
            CallsInFlight made = new(settings.SlowCallMs, settings.Version, seen);
            CallsInFlight? found = Interlocked.CompareExchange(ref epoch.InFlight, made, seen);
            if (ReferenceEquals(found, seen)) return made;
            seen = found;
        }

        return seen;
    }

    /// <summary>How many calls the windows hold when the circuit is closed, not about to open, and its past is forgotten; otherwise null.</summary>
    internal int? CallsIfHealthy(BreakerSettings settings, long now) =>
        State == CircuitState.Closed && !Run.IsFull(settings.FullRun) && BreakerRules.NextLevel(Level, now - SinceMs, settings) == 0
            ? Math.Max(settings.SumOfFailures(this, now).Calls, settings.SumOfSlowCalls(this, now).Calls)
            : null;

    internal bool IsRamping => State == CircuitState.Closed && UntilMs != 0;
}
