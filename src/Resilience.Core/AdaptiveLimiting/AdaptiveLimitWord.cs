using System.Diagnostics;

namespace Resilience;

/// <summary>The word of an adaptive concurrency limit, and its rules as pure functions.</summary>
/// <remarks>
/// <code>
///  63  61 60                 41 40                 21 20                  1  0
/// ┌──────┬─────────────────────┬─────────────────────┬─────────────────────┬─┐
/// │ 0 (3)│     limit (20)      │    running (20)     │      peak (20)      │w│
/// └──────┴─────────────────────┴─────────────────────┴─────────────────────┴─┘
///                                                             w: a call is waiting
/// </code>
/// While <c>w</c> is 0 a place is taken by one compare-and-swap, which also notes the most calls that ran at once in this window, and is given back by
/// one. While it is 1 no call takes a place directly; one that gives one back hands it to those that wait. <c>w</c> changes only under the queue's lock,
/// and by a compare-and-swap from the exact word that was judged, so a place that becomes free at the same moment is never overlooked.
/// </remarks>
internal readonly record struct AdaptiveLimitWord(long Bits)
{
    internal const int LimitShift = 41;
    internal const int RunningShift = 21;
    internal const int PeakShift = 1;
    internal const long WaitingBit = 1;
    internal const int FieldMask = 0xFFFFF;
    internal const long PeakMask = (long)FieldMask << PeakShift;
    internal const long RunningUnit = 1L << RunningShift;

    internal AdaptiveLimitWord(int limit, int running, int peak, bool isWaiting)
        : this(((long)limit << LimitShift) | ((long)running << RunningShift) | ((long)peak << PeakShift) | (isWaiting ? WaitingBit : 0)) =>
        Debug.Assert(limit is >= 1 and <= FieldMask && running >= 0 && peak >= running && peak <= FieldMask, "A limit is positive, and all fit.");

    internal int Limit => (int)(Bits >> LimitShift);

    internal int Running => (int)(Bits >> RunningShift) & FieldMask;

    /// <summary>The most that ran at once since the window began.</summary>
    internal int Peak => (int)(Bits >> PeakShift) & FieldMask;

    internal bool HasWaiting => (Bits & WaitingBit) != 0;

    /// <summary>May a caller who comes now go straight in?</summary>
    /// <param name="bound">How many calls of its class may run: the limit, or a share of it.</param>
    internal bool MayEnter(int bound) => !HasWaiting && Running < bound;

    /// <summary>May one of those that wait go in?</summary>
    internal bool MayAdmitWaiting => Running < Limit;

    internal AdaptiveLimitWord Entered
    {
        get
        {
            long next = Bits + RunningUnit;
            return new(Running + 1 > Peak ? (next & ~PeakMask) | ((long)(Running + 1) << PeakShift) : next);
        }
    }

    internal AdaptiveLimitWord Left => new(Bits - RunningUnit);

    internal AdaptiveLimitWord WithWaiting(bool isWaiting) => new(isWaiting ? Bits | WaitingBit : Bits & ~WaitingBit);

    /// <summary>A window begins: with another limit, and no more has run in it than runs now.</summary>
    internal AdaptiveLimitWord Begun(int limit) => new(limit, Running, Running, HasWaiting);
}
