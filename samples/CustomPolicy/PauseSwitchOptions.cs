using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

/// <summary>How long a pause may be.</summary>
public sealed class PauseSwitchOptions : PolicyOptions
{
    /// <summary>The longest pause, 1 ms to a day; longer ones are cut. Default 10 min: a forgotten switch turns itself back.</summary>
    public TimeSpan MaxPause { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>By chance up to this much is added to a pause, so that the processes of a fleet do not come back together. Up to a day. Default 5 s.</summary>
    public TimeSpan EndSpread { get; set; } = TimeSpan.FromSeconds(5);

    protected override string Kind => "pause-switch";

    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Span(nameof(MaxPause), MaxPause, TimeSpan.FromMilliseconds(1));
        check.Span(nameof(EndSpread), EndSpread, TimeSpan.Zero);
    }

    internal string NameOrKind => Name ?? Kind;
}
