using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

/// <summary>How long a pause may be.</summary>
public sealed class PauseSwitchOptions : PolicyOptions
{
    private static readonly PolicySettings<PauseSwitchOptions> Declared = PolicySettings.For<PauseSwitchOptions>()
        .Span(nameof(MaxPause), static o => o.MaxPause, static (o, v) => o.MaxPause = v, TimeSpan.FromMilliseconds(1), null,
            "The longest pause, from 1 ms to a day. Default 00:10:00.")
        .Span(nameof(EndSpread), static o => o.EndSpread, static (o, v) => o.EndSpread = v, TimeSpan.Zero, null,
            "By chance up to this much is added to a pause, from zero to a day. Default 00:00:05.");

    /// <summary>The longest pause, 1 ms to a day; longer ones are cut. Default 10 min: a forgotten switch turns itself back.</summary>
    public TimeSpan MaxPause { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>By chance up to this much is added to a pause, so that the processes of a fleet do not come back together. Up to a day. Default 5 s.</summary>
    public TimeSpan EndSpread { get; set; } = TimeSpan.FromSeconds(5);

    protected override string Kind => "pause-switch";

    protected override IReadOnlyList<PolicySetting> Settings => Declared;
}
