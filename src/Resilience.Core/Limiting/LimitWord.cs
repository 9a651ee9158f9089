using System.Diagnostics;

namespace Resilience;

/// <summary>The word of a concurrency limit, and its rules as pure functions.</summary>
/// <remarks>
/// <code>
///  63                              32 31                               1  0
/// ┌──────────────────────────────────┬──────────────────────────────────┬─┐
/// │           limit (32)             │           running (31)           │w│
/// └──────────────────────────────────┴──────────────────────────────────┴─┘
///                                                     w: a call is waiting
/// </code>
/// While <c>w</c> is 0 a place is taken and given back by one compare-and-swap. While it is 1 no call takes a place directly,
/// so no call overtakes those that wait; one that gives one back hands it to the first of them. <c>w</c> changes only under the
/// queue's lock, and by a compare-and-swap from the exact word that was judged, so a place that becomes free at the same
/// moment is never overlooked.
/// </remarks>
internal readonly record struct LimitWord(long Bits)
{
    internal const int LimitShift = 32;
    internal const int RunningShift = 1;
    internal const long WaitingBit = 1;
    internal const long RunningUnit = 1L << RunningShift;
    internal const long RunningMask = 0xFFFFFFFEL;

    internal LimitWord(int limit, int running, bool waiting)
        : this(((long)limit << LimitShift) | ((long)running << RunningShift) | (waiting ? WaitingBit : 0)) =>
        Debug.Assert(limit >= 1 && running >= 0, "A limit is positive, and what was not taken is not given back.");

    internal int Limit => (int)(Bits >> LimitShift);

    internal int Running => (int)((Bits & RunningMask) >> RunningShift);

    internal bool HasWaiting => (Bits & WaitingBit) != 0;

    /// <summary>May a caller who comes now go straight in?</summary>
    internal bool MayEnter => !HasWaiting && Running < Limit;

    /// <summary>May the first of those who wait go in?</summary>
    internal bool MayAdmitWaiting => Running < Limit;

    internal LimitWord Entered => new(Bits + RunningUnit);

    internal LimitWord Left => new(Bits - RunningUnit);

    internal LimitWord WithWaiting(bool waiting) => new(waiting ? Bits | WaitingBit : Bits & ~WaitingBit);

    internal LimitWord WithLimit(int limit) => new(limit, Running, HasWaiting);
}
