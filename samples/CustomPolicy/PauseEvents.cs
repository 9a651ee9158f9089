namespace Resilience.CustomPolicy;

/// <summary>A switch was used.</summary>
public sealed record PauseChanged(string PipelineName, string PolicyName, bool IsPaused, TimeSpan Length)
    : ResilienceEvent(PipelineName, PolicyName);

/// <summary>A call was rejected because of a pause.</summary>
public sealed record CallPaused(string PipelineName, string PolicyName, PausedRejection Rejection)
    : ResilienceEvent(PipelineName, PolicyName);
