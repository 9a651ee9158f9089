using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>How many calls are rejected at the caller while a dependency is overloaded.</summary>
/// <remarks>The share of rejected calls is <c>max(0, (E − K·A) / (E + Padding))</c> over the window, at most <see cref="MaxRejection"/>: E calls were sent
/// and have ended, A of them without a sign of overload. Google, Site Reliability Engineering, ch. 21 ("client-side throttling"), but calls that are
/// rejected here are not counted as sent: counted, the throttle would keep itself shut.</remarks>
public sealed class AdaptiveThrottleOptions : PolicyOptions
{
    private static readonly PolicySettings<AdaptiveThrottleOptions> Declared = PolicySettings.For<AdaptiveThrottleOptions>()
        .Number(nameof(K), static o => o.K, static (o, v) => o.K = v, 1.05, 10,
            "How much overload is tolerated: calls are rejected when more than K times as many are sent as are accepted. Default 2.")
        .Span(nameof(Window), static o => o.Window, static (o, v) => o.Window = v, TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(5),
            "The time over which calls are counted, from 5 s to 5 min. Default 00:00:30.")
        .Number(nameof(MaxRejection), static o => o.MaxRejection, static (o, v) => o.MaxRejection = v, 0, 0.99,
            "The largest share of calls that is rejected; the rest finds out that the dependency has recovered. Default 0.9.")
        .Whole(nameof(Padding), static o => o.Padding, static (o, v) => o.Padding = v, 1, 1000,
            "Calls that are added to those sent, so that a few failures prove little. Default 10.")
        .Choice(nameof(Counts), static o => o.Counts, static (o, v) => o.Counts = v,
            "Which failures are a sign of overload: Overload or AllFailures. Default Overload.");

    /// <summary>How much overload is tolerated, 1.05 to 10. With an independent share s of accepted calls, 1 − K·s are rejected. Default 2; 1.1 where
    /// rejecting is dear to the dependency.</summary>
    public double K { get; set; } = 2;

    /// <summary>The time over which calls are counted, in ten buckets, 5 s to 5 min. Default 30 s: so long after its end an overload is
    /// forgotten.</summary>
    public TimeSpan Window { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest share of calls that is rejected, 0 to 0.99. Default 0.9: the tenth that is let through finds the recovery.</summary>
    public double MaxRejection { get; set; } = 0.9;

    /// <summary>Calls that are added to those sent, 1 to 1,000, so that a few failures prove little. Default 10: five failures of five calls reject a
    /// third.</summary>
    public int Padding { get; set; } = 10;

    /// <summary>Which failures are a sign of overload. Default <see cref="ThrottleCounts.Overload"/>.</summary>
    public ThrottleCounts Counts { get; set; }

    /// <summary>Says of further failures that they are a sign of overload. Default null: none. Runs on the caller's thread; what it throws is counted, and the
    /// failure is no sign then.</summary>
    public Func<AttemptResult, bool>? IsOverload { get; set; }

    /// <inheritdoc/>
    protected internal override string Kind => "adaptive-throttle";

    /// <inheritdoc/>
    protected internal override IReadOnlyList<PolicySetting> Settings => Declared;
}
