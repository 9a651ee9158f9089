using Resilience.Overload;

namespace Resilience;

/// <summary>All that a context remembers, so that a copy takes it over, and a spare forgets it, as a whole.</summary>
internal struct CallState
{
    internal CancellationToken CancellationToken;
    internal CancellationToken Callers;
    internal CallSite Site; // null in a spare, which must not keep the clock and the meter of a pipeline alive
    internal string? Operation;
    internal string? Objection;
    internal Dictionary<object, object?>? Properties;
    internal TimeoutSource? InnermostTimeout;
    internal object? CreditedAccount;
    internal CallScope? Scope; // null until there is a call around this one, or inside
    internal ResilienceContext? Counter; // the fork that counts the attempts of all; null: there has been none
    internal Leftovers? Leftovers; // where there has been a fork, that of the counter is the one of the call
    internal long DeadlineMs;
    internal long BeganMs; // means something only with the remark HasBegun
    internal long StatedWaitTicks; // means something only where an outcome is marked SaysWhen
    internal int Attempt;
    internal int Counted; // the last number given out, where this is the counter
    internal ushort GivenUpBefore; // what GivenUp.Mark said when the attempt began; 0: not asked
    internal AttemptRemarks Remarks;
    internal byte IsRunning; // of a fork that a policy of yours has: 1 while what it let go on is under way
    internal bool HasEnded;
    internal bool HasCopies;
    internal bool IsShown;
    private sbyte _rare; // bit 0: SharesProperties; bit 1: SaysCriticality; the rest: Urgency. A byte more, and wiping the state costs a twentieth of a call

    /// <summary>With a fork: a change copies them first.</summary>
    internal bool SharesProperties
    {
        readonly get => (_rare & 1) != 0;
        set => _rare = (sbyte)(value ? _rare | 1 : _rare & ~1);
    }

    /// <summary>The class is the call's own, and not that of the request.</summary>
    internal bool SaysCriticality
    {
        readonly get => (_rare & 2) != 0;
        set => _rare = (sbyte)(value ? _rare | 2 : _rare & ~2);
    }

    /// <summary>Classes above or below <see cref="Criticality.Critical"/>, so that a state which says nothing is that of a critical call.</summary>
    internal int Urgency
    {
        readonly get => _rare >> 2;
        set => _rare = (sbyte)((value << 2) | (_rare & 3));
    }
}
