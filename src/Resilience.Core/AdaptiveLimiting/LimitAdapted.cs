using System.Diagnostics;
using System.Globalization;
using Resilience.Overload;

namespace Resilience.Events;

/// <summary>An adaptive concurrency limit has changed by a fifth or more since it last told of a change, or has reached one of its bounds.</summary>
/// <remarks>Probes are no change: the limit returns.</remarks>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limit.</param>
/// <param name="From">How many calls might run when it last told of a change, or at first.</param>
/// <param name="To">How many calls may run now.</param>
/// <param name="Latency">The median latency of the window.</param>
/// <param name="Baseline">The latency without load; null while it is unknown, and always with <see cref="LimitAlgorithm.Signals"/>.</param>
public sealed record LimitAdapted(string PipelineName, string PolicyName, int From, int To, TimeSpan? Latency, TimeSpan? Baseline)
    : ResilienceEvent(PipelineName, PolicyName)
{
    /// <summary>Whether it is the least that the options allow: it would have become smaller.</summary>
    public bool IsAtFloor { get; init; }

    /// <summary>Whether it is the most that the options allow: it would have become larger.</summary>
    public bool IsAtCeiling { get; init; }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new(
        "resilience.adaptive_limit.adaptations", "{adaptation}", "Changes of an adaptive concurrency limit by a fifth or more, or to one of its bounds.");

    /// <inheritdoc/>
    public override int GetEventId() => 42;

    /// <inheritdoc/>
    public override ResilienceEventLevel GetLevel() => IsAtFloor || IsAtCeiling ? ResilienceEventLevel.Warning : ResilienceEventLevel.Information;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        (string bound, string latency) = (Bound, AdaptiveLimitText.Latency(Latency, Baseline));
        return $"limit adapted from {From} to {To}{bound}{latency}";
    }

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override string GetSpanEventName() => "resilience.adaptive_limit.adapted";

    /// <inheritdoc/>
    public override void AddSpanTags(ref TagList tags)
    {
        tags.Add("resilience.adaptive_limit.from", From);
        tags.Add("resilience.adaptive_limit.to", To);
    }

    /// <inheritdoc/>
    public override string GetNewState() => To.ToString(CultureInfo.InvariantCulture);

    private string Bound => IsAtFloor ? " (the least that is allowed)" : IsAtCeiling ? " (the most that is allowed)" : "";
}
