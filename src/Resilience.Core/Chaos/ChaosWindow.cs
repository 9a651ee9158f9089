namespace Resilience.Chaos;

/// <summary>A span of time in which there is chaos.</summary>
public sealed record ChaosWindow
{
    /// <summary>When it begins, counted from the start of the schedule (or of each round of it). Default zero. Zero to 365 days.</summary>
    public TimeSpan From { get; init; }

    /// <summary>How long it lasts, 1 ms to 365 days. Default a minute.</summary>
    public TimeSpan Length { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The rates in this window. Default null: those of the switch or, if it has none, of the options.</summary>
    public ChaosRates? Rates { get; init; }
}
