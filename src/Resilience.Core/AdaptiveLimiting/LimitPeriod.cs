using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>A window while it lasts: by what it is judged, what is counted in it, and the rejections of it. Replaced as a whole.</summary>
internal sealed class LimitPeriod(LimitSetup setup, LimitState state, LimitEpoch epoch, long startTicks, LatencyCounts counts)
{
    private static readonly int Reasons = Enum.GetValues<AdaptiveLimitReason>().Length;

    private readonly AdaptiveLimitRejection?[] _rejections = new AdaptiveLimitRejection?[Reasons * 4]; // made when first needed

    internal LimitPeriod(LimitSetup setup, LimitState state, LimitEpoch epoch, long startTicks)
        : this(setup, state, epoch, startTicks, new())
    {
    }

    /// <summary>The same window under other options.</summary>
    internal LimitPeriod(LimitSetup setup, LimitState state, LimitPeriod former)
        : this(setup, state, former.Epoch, former.StartTicks, former.Counts) => WasRejecting = former.WasRejecting;

    internal LimitSetup Setup => setup;

    internal LimitState State => state;

    internal LimitEpoch Epoch => epoch;

    internal long StartTicks => startTicks;

    /// <summary>The earliest moment at which it may end.</summary>
    internal long EndTicks { get; } = startTicks + (long)(setup.Rules.LeastMs(state) * TimeSpan.TicksPerMillisecond);

    internal LatencyCounts Counts => counts;

    /// <summary>Whether calls were rejected in the window before.</summary>
    internal bool WasRejecting { get; init; }

    /// <summary>Whether calls are rejected, in this window or the one before.</summary>
    internal bool IsRejecting => WasRejecting || Counts.HasRejected;

    /// <summary>A race costs an object.</summary>
    internal AdaptiveLimitRejection RejectionOf(AdaptiveLimitReason why, Criticality criticality, PolicyEnvironment environment)
    {
        ref AdaptiveLimitRejection? known = ref _rejections[((int)why * 4) + (int)criticality];
        AdaptiveLimitRejection? seen = Volatile.Read(ref known); // acquire: pairs with the write below
        if (seen is not null) return seen;
        seen = new(
            environment, why, criticality, Math.Max(1, (int)state.Limit), AdaptiveLimitText.Span(state.LatencyMs), AdaptiveLimitText.Span(state.BaselineMs));
        Volatile.Write(ref known, seen); // release: whole before it can be seen
        return seen;
    }
}
