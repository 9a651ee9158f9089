using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>When there is chaos while it is switched on: in the windows, and not between them.</summary>
/// <remarks>The switch stays the master: a schedule injects nothing while the switch is off. Read when the pipeline is built.</remarks>
public sealed class ChaosSchedule
{
    internal static readonly TimeSpan Max = TimeSpan.FromDays(365);

    internal static IReadOnlyList<PolicySetting> Settings { get; } = PolicySettings.For<ChaosSchedule>()
        .Span(nameof(RepeatEvery), null, static (s, v) => s.RepeatEvery = v, TimeSpan.Zero, null,
            "The schedule begins anew after this span, at least the end of the last window. Default: once.")
        .Groups<ChaosWindowChoice>(nameof(Windows), ChaosWindowChoice.Settings, static (s, choice) => s.Windows.Add(choice.Window),
            "The windows, in their order and without overlap; at least one.", "A window.");

    /// <summary>The windows, in their order and without overlap. At least one.</summary>
    public IList<ChaosWindow> Windows { get; } = [];

    /// <summary>The schedule begins anew each time this span has passed: at least the end of the last window, at most 365 days. Default
    /// null: once.</summary>
    public TimeSpan? RepeatEvery { get; set; }

    /// <summary>When it starts. Default null: at the moment at which chaos is switched on.</summary>
    /// <remarks>The wall clock is read once, when chaos is switched on; to set it later changes nothing.</remarks>
    public DateTimeOffset? StartsAt { get; set; }

    /// <summary>Adds a window.</summary>
    /// <param name="from">See <see cref="ChaosWindow.From"/>.</param>
    /// <param name="length">See <see cref="ChaosWindow.Length"/>.</param>
    /// <param name="rates">See <see cref="ChaosWindow.Rates"/>.</param>
    /// <returns>This schedule.</returns>
    public ChaosSchedule Window(TimeSpan from, TimeSpan length, ChaosRates? rates = null)
    {
        Windows.Add(new() { From = from, Length = length, Rates = rates });
        return this;
    }

    internal ChaosSchedule Copy()
    {
        ChaosSchedule copy = new() { RepeatEvery = RepeatEvery, StartsAt = StartsAt };
        foreach (ChaosWindow window in Windows) copy.Windows.Add(window); // a record: never changed
        return copy;
    }

    internal void Check(OptionsCheck check, string option)
    {
        check.Require(Windows.Count > 0, $"{option}.{nameof(Windows)}", "empty", "a list of at least one window");
        TimeSpan end = TimeSpan.Zero;
        for (int i = 0; i < Windows.Count; i++)
        {
            string path = $"{option}.{nameof(Windows)}[{i}]";
            ChaosWindow window = Windows[i];
            if (window is null)
            {
                check.Require(false, path, null, "a ChaosWindow, not null");
                continue;
            }

            check.Span($"{path}.{nameof(ChaosWindow.From)}", window.From, i == 0 ? TimeSpan.Zero : end, Max);
            check.Span($"{path}.{nameof(ChaosWindow.Length)}", window.Length, TimeSpan.FromMilliseconds(1), Max);
            window.Rates?.Check(check, $"{path}.{nameof(ChaosWindow.Rates)}");
            if (window.From <= Max && window.Length <= Max) end = window.From + window.Length;
        }

        if (RepeatEvery is { } every)
            check.Span($"{option}.{nameof(RepeatEvery)}", every, end > TimeSpan.Zero && end <= Max ? end : TimeSpan.FromMilliseconds(1), Max);
    }

    /// <summary>A copy that cannot be changed.</summary>
    internal ChaosPlan ToPlan() => new([.. Windows.Select(w => new ChaosPlan.Span(Clock.ToMs(w.From), Clock.ToMs(w.From + w.Length), w.Rates))],
        RepeatEvery is { } every ? Clock.ToMs(every) : null, StartsAt);

    /// <inheritdoc/>
    public override string ToString()
    {
        string windows = string.Join("; ", Windows.Select(w =>
            $"{TimeText.Of(w.From)} to {TimeText.Of(w.From + w.Length)}{(w.Rates is { } r ? $": {r}" : "")}"));
        string start = StartsAt is { } at ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $", from {at:u}") : "";
        return windows + (RepeatEvery is { } every ? $", every {TimeText.Of(every)}" : "") + start;
    }
}

/// <summary>A schedule as the rules read it.</summary>
internal sealed record ChaosPlan(ChaosPlan.Span[] Windows, long? EveryMs, DateTimeOffset? StartsAt)
{
    internal readonly record struct Span(long FromMs, long UntilMs, ChaosRates? Rates);
}
