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
    internal required int MostLevel { get; init; }

    internal required int Probes { get; init; }
    internal required int SuccessThreshold { get; init; }
    internal required long ProbeLeaseMs { get; init; }
    internal required long RampMs { get; init; } // 0: no ramp
    internal required double RampFrom { get; init; }
    internal required bool IsDryRun { get; init; }
    internal required Func<AttemptResult, bool>? ShouldCount { get; init; }

    /// <summary>What the windows look like: two settings with the same shape can share them.</summary>
    internal required (long BucketMs, int Buckets, int Calls) Shape { get; init; }

    /// <summary>Calls and failures; null when no rule needs them.</summary>
    internal FailureWindow? Failures { get; private init; }

    /// <summary>Calls and slow calls; null when the rule is off.</summary>
    internal FailureWindow? SlowCalls { get; private init; }

    internal bool WatchesDuration => SlowCallMs > 0;

    /// <summary>A run of failures this long has opened the circuit, whoever comes to say so; unreachable when no plain rule for runs is on.</summary>
    internal int FullRun => ConsecutiveFailures > 0 && ConsecutiveWithinMs == Clock.Never ? ConsecutiveFailures : int.MaxValue;

    /// <summary>The number of the window's slot at this time in this era. Over calls, the era's base alone.</summary>
    internal uint Slot(Era era, long nowMs) => Shape.Calls > 0 ? era.SlotBase : (uint)(nowMs / Shape.BucketMs) + era.SlotBase;

    /// <summary>How far the next era's slots lie beyond this era's: further than any window reaches back.</summary>
    internal const uint SlotStride = 64;

    internal static BreakerSettings From(CircuitBreakerOptions options, BreakerSettings? former, Era? era, long nowMs)
    {
        (long, int, int) shape = ShapeOf(options);
        bool needsFailures = options.FailureRatio is not null;
        bool needsSlow = options.SlowCallThreshold is not null;
        return new()
        {
            FailureRatio = options.FailureRatio ?? double.PositiveInfinity,
            MinimumCalls = options.MinimumCalls,
            ConsecutiveFailures = options.ConsecutiveFailures ?? 0,
            ConsecutiveWithinMs = options.ConsecutiveFailuresWithin is { } within ? Clock.ToMs(within) : Clock.Never,
            SlowCallMs = options.SlowCallThreshold is { } slow ? Clock.ToMs(slow) : 0,
            SlowCallRatio = options.SlowCallRatio,
            BreakMs = Clock.ToMs(options.BreakDuration),
            BreakGrowth = options.BreakGrowth,
            MaxBreakMs = Math.Max(Clock.ToMs(options.MaxBreakDuration), Clock.ToMs(options.BreakDuration)),
            BreakJitter = options.BreakJitter,
            BreakDecayMs = Clock.ToMs(options.BreakDecay),
            MostLevel = options.BreakGrowth > 1
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
            Failures = needsFailures ? Carry(former?.Failures, former, shape, era, nowMs) : null,
            SlowCalls = needsSlow ? Carry(former?.SlowCalls, former, shape, era, nowMs) : null,
        };
    }

    private static (long BucketMs, int Buckets, int Calls) ShapeOf(CircuitBreakerOptions options)
    {
        if (options.SamplingCalls is { } calls) return (0, options.Buckets, calls);
        long windowMs = Clock.ToMs(options.SamplingDuration);
        return (Math.Max(1, (windowMs + options.Buckets - 1) / options.Buckets), options.Buckets, 0);
    }

    /// <summary>The same window if the shape is the same; otherwise a new one that begins with the sums of the old.</summary>
    private static FailureWindow Carry(FailureWindow? window, BreakerSettings? former, (long BucketMs, int Buckets, int Calls) shape, Era? era, long nowMs)
    {
        if (window is not null && former!.Shape == shape) return window;
        FailureWindow made = shape.Calls > 0 ? FailureWindow.OverCalls(shape.Calls, shape.Buckets) : FailureWindow.OverTime(shape.Buckets);
        if (window is null || era is null) return made;
        (int calls, int bad) = window.Sum(former!.Slot(era, nowMs));
        uint slot = shape.Calls > 0 ? era.SlotBase : (uint)(nowMs / shape.BucketMs) + era.SlotBase;
        made.Seed(slot, calls, bad);
        return made;
    }
}
