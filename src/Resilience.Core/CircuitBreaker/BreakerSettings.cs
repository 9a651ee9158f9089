using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The options of a breaker as plain numbers, with the windows that fit them. Replaced as a whole when options change.</summary>
internal sealed class BreakerSettings
{
    internal required double FailureRatio { get; init; } // infinite: the rule is off
    internal required int MinimumCalls { get; init; }
    internal required int ConsecutiveFailures { get; init; } // 0: the rule is off
    internal required long ConsecutiveWithinMs { get; init; }
    internal required long SlowCallMs { get; init; } // 0: the rule is off
    internal required double SlowCallRatio { get; init; }
    internal required long BreakMs { get; init; }
    internal required double BreakGrowth { get; init; }
    internal required long MaxBreakMs { get; init; }
    internal required double BreakJitter { get; init; }
    internal required long BreakDecayMs { get; init; }

    /// <summary>The level at which the break reaches its cap: growth is not counted beyond it, so that health can take it back.</summary>
    internal required int MaxLevel { get; init; }

    internal required int Probes { get; init; }
    internal required int SuccessThreshold { get; init; }
    internal required long ProbeLeaseMs { get; init; }
    internal required long RampMs { get; init; } // 0: no ramp
    internal required double RampFrom { get; init; }
    internal required bool IsDryRun { get; init; }
    internal required Func<AttemptResult, bool>? ShouldCount { get; init; }
    internal required bool FollowsRetryAfter { get; init; }
    internal required Action<CircuitChanged>? OnChange { get; init; }
    internal required Func<CircuitChanged, ValueTask>? OnChangeAsync { get; init; }
    internal required Func<BreakContext, TimeSpan?>? BreakDurationFor { get; init; }

    /// <summary>Whether what a failure says of when to come back is of use.</summary>
    internal bool HearsRetryAfter => FollowsRetryAfter || BreakDurationFor is not null;

    /// <summary>Whether a delegate of the user's wants to know what the last failure was.</summary>
    internal bool WantsLastFailure => OnChange is not null || OnChangeAsync is not null || BreakDurationFor is not null;

    /// <summary>Grows by one with each update.</summary>
    internal required int Version { get; init; }

    /// <summary>What the windows look like: two settings with the same shape can share them.</summary>
    internal required (long BucketMs, int Buckets, int Calls) Shape { get; init; }

    /// <summary>Calls and failures; null when no rule needs them.</summary>
    internal FailureWindow? Failures { get; private init; }

    /// <summary>Calls and slow calls; null when the rule is off.</summary>
    internal FailureWindow? SlowCalls { get; private init; }

    /// <summary>What <see cref="Failures"/> has brought along from windows of other shapes.</summary>
    private WindowPast? PastFailures { get; init; }

    /// <inheritdoc cref="PastFailures"/>
    private WindowPast? PastSlowCalls { get; init; }

    internal bool WatchesDuration => SlowCallMs > 0;

    /// <summary>A run of failures this long has opened the circuit, whichever call reports it; unreachable when no plain rule for runs is on.</summary>
    internal int FullRun => ConsecutiveFailures > 0 && ConsecutiveWithinMs == Clock.Never ? ConsecutiveFailures : int.MaxValue;

    /// <summary>The number of the window's slot at this time in this epoch. Over calls, the epoch's base alone.</summary>
    internal uint Slot(CircuitEpoch epoch, long nowMs) => Shape.Calls > 0 ? epoch.SlotBase : (uint)(nowMs / Shape.BucketMs) + epoch.SlotBase;

    /// <summary>The calls and the failures in the window.</summary>
    internal (int Calls, int Bad) SumOfFailures(CircuitEpoch epoch, long nowMs) => Sum(Failures, PastFailures, epoch, nowMs);

    /// <summary>The calls and the slow ones in the window.</summary>
    internal (int Calls, int Bad) SumOfSlowCalls(CircuitEpoch epoch, long nowMs) => Sum(SlowCalls, PastSlowCalls, epoch, nowMs);

    private (int Calls, int Bad) Sum(FailureWindow? window, WindowPast? past, CircuitEpoch epoch, long nowMs)
    {
        if (window is null) return default;
        (int calls, int bad) = window.Sum(Slot(epoch, nowMs));
        if (past is null) return (calls, bad);
        (int pastCalls, int pastBad) = past.Sum(epoch, nowMs, Shape.BucketMs * Shape.Buckets);
        return (calls + pastCalls, bad + pastBad);
    }

    /// <summary>How far the next epoch's slots lie beyond this epoch's: further than any window reaches back.</summary>
    internal const uint SlotStride = 64;

    internal static BreakerSettings From(CircuitBreakerOptions options, BreakerSettings? former, CircuitEpoch? epoch, long nowMs)
    {
        (long, int, int) shape = ShapeOf(options);
        bool needsFailures = options.FailureRatio is not null;
        bool needsSlow = options.SlowCallThreshold is not null;
        (FailureWindow? failures, WindowPast? pastFailures) =
            needsFailures ? Carry(former?.Failures, former?.PastFailures, former, shape, epoch, nowMs) : default;
        (FailureWindow? slow, WindowPast? pastSlow) =
            needsSlow ? Carry(former?.SlowCalls, former?.PastSlowCalls, former, shape, epoch, nowMs) : default;
        return new()
        {
            FailureRatio = options.FailureRatio ?? double.PositiveInfinity,
            MinimumCalls = options.MinimumCalls,
            ConsecutiveFailures = options.ConsecutiveFailures ?? 0,
            ConsecutiveWithinMs = options.ConsecutiveFailuresWithin is { } within ? Clock.ToMs(within) : Clock.Never,
            SlowCallMs = options.SlowCallThreshold is { } threshold ? Clock.ToMs(threshold) : 0,
            SlowCallRatio = options.SlowCallRatio,
            BreakMs = Clock.ToMs(options.BreakDuration),
            BreakGrowth = options.BreakGrowth,
            MaxBreakMs = Math.Max(Clock.ToMs(options.MaxBreakDuration), Clock.ToMs(options.BreakDuration)),
            BreakJitter = options.BreakJitter,
            BreakDecayMs = Clock.ToMs(options.BreakDecay),
            MaxLevel = options.BreakGrowth > 1
                ? (int)Math.Ceiling(Math.Log(options.MaxBreakDuration / options.BreakDuration) / Math.Log(options.BreakGrowth))
                : 0,
            Probes = options.Probes,
            SuccessThreshold = options.SuccessThreshold ?? options.Probes,
            ProbeLeaseMs = Clock.ToMs(options.ProbeLease),
            RampMs = Clock.ToMs(options.RampDuration),
            RampFrom = options.RampFrom,
            IsDryRun = options.DryRun,
            ShouldCount = options.ShouldCount,
            Shape = shape,
            FollowsRetryAfter = options.BreakFollowsRetryAfter,
            OnChange = options.OnChange,
            OnChangeAsync = options.OnChangeAsync,
            BreakDurationFor = options.BreakDurationFor,
            Version = former is null ? 0 : former.Version + 1,
            Failures = failures,
            PastFailures = pastFailures,
            SlowCalls = slow,
            PastSlowCalls = pastSlow,
        };
    }

    private static (long BucketMs, int Buckets, int Calls) ShapeOf(CircuitBreakerOptions options)
    {
        if (options.SamplingCalls is { } calls) return (0, options.Buckets, calls);
        long windowMs = Clock.ToMs(options.SamplingDuration);
        return (Math.Max(1, (windowMs + options.Buckets - 1) / options.Buckets), options.Buckets, 0);
    }

    /// <summary>The same window if the shape is the same; otherwise a new one that knows what the old one knew. A rule that was off begins
    /// with nothing.</summary>
    private static (FailureWindow Window, WindowPast? Past) Carry(
        FailureWindow? window, WindowPast? past, BreakerSettings? former, (long BucketMs, int Buckets, int Calls) shape, CircuitEpoch? epoch, long nowMs)
    {
        if (window is not null && former!.Shape == shape) return (window, past);
        if (shape.Calls > 0)
        {
            FailureWindow overCalls = FailureWindow.OverCalls(shape.Calls, shape.Buckets);
            if (window is null || epoch is null) return (overCalls, null);
            int max = former!.Shape.Calls > 0 ? Math.Min(shape.Calls, former.Shape.Calls) : shape.Calls; // what was forgotten does not come back
            Fill(overCalls, max, epoch.SlotBase, Known(window, past, former.Shape, epoch, nowMs));
            return (overCalls, null);
        }

        FailureWindow made = FailureWindow.OverTime(shape.Buckets, nowMs);
        if (window is null || epoch is null) return (made, null);
        return (made, former!.Shape.Calls > 0
            ? WindowPast.OfCalls(window, epoch, nowMs)
            : WindowPast.Of(window, former.Shape.BucketMs, past, epoch, nowMs, shape.BucketMs, shape.BucketMs * shape.Buckets));
    }

    /// <summary>The counts of a window, from the oldest to the youngest.</summary>
    private static List<(int Calls, int Bad)> Known(
        FailureWindow window, WindowPast? past, (long BucketMs, int Buckets, int Calls) shape, CircuitEpoch epoch, long nowMs)
    {
        if (shape.Calls == 0)
        {
            long windowMs = shape.BucketMs * shape.Buckets;
            return [.. WindowPast.Known(window, shape.BucketMs, past, epoch, nowMs).Where(s => nowMs - s.EndMs < windowMs).Select(s => (s.Calls, s.Bad))];
        }

        uint head = epoch.SlotBase + (uint)window.Head;
        return [.. Enumerable.Range(0, window.Ring).Select(back => head - (uint)(window.Ring - 1 - back)).Select(slot => window.SumOf(slot, slot))];
    }

    /// <summary>Counts the youngest, as many as the window holds.</summary>
    private static void Fill(FailureWindow window, int max, uint slotBase, List<(int Calls, int Bad)> known)
    {
        int first = known.Count, room = max;
        while (first > 0 && room > 0) room -= known[--first].Calls;
        for (int i = first; i < known.Count; i++)
        {
            (int calls, int bad) = known[i];
            int kept = i == first && room < 0 ? calls + room : calls; // of the oldest that has room, a part
            window.Fill(slotBase, kept, kept == calls ? bad : (int)Math.Round((double)bad * kept / calls));
        }
    }
}
