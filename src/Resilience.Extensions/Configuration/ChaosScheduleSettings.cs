using Resilience.Chaos;

namespace Resilience.Configuration;

/// <summary>What configuration may say about the schedule of chaos. It starts when chaos is turned on.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosScheduleSettings
{
    /// <inheritdoc cref="ChaosSchedule.RepeatEvery"/>
    public TimeSpan? RepeatEvery { get; set; }

    /// <inheritdoc cref="ChaosSchedule.Windows"/>
    public IReadOnlyList<ChaosWindowSettings>? Windows { get; set; }

    internal ChaosSchedule ToSchedule()
    {
        ChaosSchedule schedule = new() { RepeatEvery = RepeatEvery };
        ChaosWindow standard = new();
        foreach (ChaosWindowSettings window in Windows ?? [])
            schedule.Window(window.From ?? standard.From, window.Length ?? standard.Length, window.Rates?.Over(default));
        return schedule;
    }

    /// <inheritdoc/>
    public bool Equals(ChaosScheduleSettings? other) =>
        other is not null && RepeatEvery == other.RepeatEvery && (Windows ?? []).SequenceEqual(other.Windows ?? []);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(RepeatEvery, Windows?.Count);
}
