using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A fallback replaced an outcome.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The fallback.</param>
/// <param name="Replaced">The verdict that was replaced.</param>
/// <param name="Source">Where the substitute came from.</param>
/// <param name="Age">For a last good value: how old it is.</param>
public sealed record FallbackUsed(string PipelineName, string PolicyName, Verdict Replaced, FallbackSource Source, TimeSpan? Age)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 6;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => ResilienceEventLevel.Warning;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        if (Age is null) return ((EventMessage)$"fallback replaced the outcome ({Replaced}) by {Substitute}").With(nameof(Source), Source);
        EventMessage message = $"fallback replaced the outcome ({Replaced}) by {Substitute}, {Age} old";
        return message.With(nameof(Source), Source);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.fallbacks", "{call}", "Outcomes that a fallback replaced, by source of the substitute.");

    private string Substitute => Source switch
    {
        FallbackSource.LastGood => "the last good value",
        FallbackSource.Call => "the result of the substitute call",
        _ => "the fixed value",
    };

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.fallback";

    /// <inheritdoc/>
    public override void AddTags(ref TagList tags)
    {
        tags.Add(ResilienceTelemetry.VerdictTag, VerdictNames.Of(Replaced));
        tags.Add("resilience.fallback.source", Source switch
        {
            FallbackSource.LastGood => "last_good",
            FallbackSource.Call => "call",
            _ => "value",
        });
    }

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("fallback");

    /// <inheritdoc/>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: the outcome was replaced by {Substitute}.";
}
