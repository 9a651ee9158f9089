using Resilience.Chaos;

namespace Resilience.Configuration;

/// <summary>What configuration may say about a window of the schedule.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ChaosWindowSettings
{
    /// <inheritdoc cref="ChaosWindow.From"/>
    public TimeSpan? From { get; set; }

    /// <inheritdoc cref="ChaosWindow.Length"/>
    public TimeSpan? Length { get; set; }

    /// <summary>The rates in this window; a kind that is absent is not injected. Null: the rates of the whole.</summary>
    public ChaosRatesSettings? Rates { get; set; }
}
