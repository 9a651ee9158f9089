using Resilience.Events;

namespace Resilience.CustomPolicy;

/// <summary>A switch was used.</summary>
public sealed record PauseChanged(string PipelineName, string PolicyName, bool IsPaused, TimeSpan Length)
    : ResilienceEvent(PipelineName, PolicyName)
{
    public override ResilienceEventLevel GetLevel() => IsPaused ? ResilienceEventLevel.Warning : ResilienceEventLevel.Information;

    public override EventMessage GetMessage()
    {
        if (!IsPaused) return $"calls are no longer paused";
        return $"calls are paused for {Length}";
    }

    public override string GetNewState() => IsPaused ? "paused" : "running";
}

/// <summary>A call was rejected because of a pause.</summary>
public sealed record CallPaused(string PipelineName, string PolicyName, PausedRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName)
{
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        return $"call rejected: {reason}";
    }

    public static EventMetric Metric { get; } = new("pause_switch.rejections", "{call}", "Calls that a pause has rejected.");

    public override EventMetric GetMetric() => Metric;

    public override Rejection GetRejection() => Rejection;

    public override EventGroup? GetGroup() => new("paused", IsRejection: true);
}
