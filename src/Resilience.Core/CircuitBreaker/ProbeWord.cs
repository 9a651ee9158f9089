using System.Diagnostics;

namespace Resilience;

/// <summary>The probes of one half-open epoch in one word.</summary>
/// <remarks>
/// <code>
///  63                                       24 23          12 11           0
/// ┌───────────────────────────────────────────┬──────────────┬──────────────┐
/// │ sent: ms at which the last probe was sent  │     out      │     good     │
/// │                   40 bits                  │   12 bits    │   12 bits    │
/// └───────────────────────────────────────────┴──────────────┴──────────────┘
/// </code>
/// The probes out are lost a lease after the last one was sent. While probes keep coming and going there is progress; when none has
/// been sent for a whole lease and places are still taken, every probe that is out is older than its lease, all are given up
/// together, and a new half-open epoch begins with fresh places. The lease itself is an option, so an update lengthens or shortens that
/// of probes that are out. 40 bits of milliseconds are 34 years from the making of the breaker. A word of zero says that they have
/// been given up: the next thread swaps the epoch.
/// </remarks>
internal readonly record struct ProbeWord(long Bits)
{
    internal const int GoodBits = 12;
    internal const int OutBits = 12;
    internal const int SentBits = 40;
    internal const int Max = (1 << OutBits) - 1;

    internal ProbeWord(long sentMs, int probesOut, int good)
        : this((sentMs << (OutBits + GoodBits)) | ((long)probesOut << GoodBits) | (long)good)
    {
        Debug.Assert(sentMs is >= 0 and < 1L << SentBits, "The time fits its bits.");
        Debug.Assert(probesOut is >= 0 and <= Max && good is >= 0 and <= Max, "The counts fit their bits.");
    }

    /// <summary>All probes out are lost, and a new epoch is about to begin. No other word was sent at zero: a break of a millisecond comes before.</summary>
    internal static ProbeWord GivenUp => default;

    internal bool IsGivenUp => Bits == 0;

    internal int Good => (int)(Bits & Max);

    internal int Out => (int)((Bits >> GoodBits) & Max);

    internal long SentMs => (long)((ulong)Bits >> (OutBits + GoodBits));
}
