using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>An adaptive concurrency limit rejected the call. One instance for each reason, class and window: rejecting allocates nothing.</summary>
public sealed class AdaptiveLimitRejection : Rejection
{
    private readonly double _latencyMs;
    private readonly double _baselineMs;

    internal AdaptiveLimitRejection(
        PolicyEnvironment environment, AdaptiveLimitReason why, Criticality criticality, int limit, double latencyMs, double baselineMs)
        : base(environment.PipelineName, environment.PolicyName) =>
        (Why, Criticality, Limit, _latencyMs, _baselineMs) = (why, criticality, limit, latencyMs, baselineMs);

    /// <summary>Which bound was reached.</summary>
    public AdaptiveLimitReason Why { get; }

    /// <summary>The class of the call.</summary>
    public Criticality Criticality { get; }

    /// <summary>How many calls might run at that moment.</summary>
    public int Limit { get; }

    /// <inheritdoc/>
    /// <remarks>The sentence is that of the window, and it cannot know when a running call will end.</remarks>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture, $"{Who}: all places for calls of criticality '{CriticalityNames.Of(Criticality)}' are taken at this moment ")
        + string.Create(CultureInfo.InvariantCulture, $"(limit {Limit}, adapted{Latency}) and {Waiting}; a place becomes free when a running call ends.");

    private string Latency => (_latencyMs, _baselineMs) switch
    {
        (0, _) => "",
        (_, 0) => $" at a latency of {Ms(_latencyMs)}",
        _ => $" at a latency of {Ms(_latencyMs)} against {Ms(_baselineMs)} unloaded",
    };

    private string Waiting => Why switch
    {
        AdaptiveLimitReason.QueueFull => "the queue is full",
        AdaptiveLimitReason.WaitedTooLong => "none became free within the longest wait or before the deadline",
        AdaptiveLimitReason.Standing => "its queue does not become empty, so only the newest are served",
        AdaptiveLimitReason.Evicted => "a call of a higher class took its place in the full queue",
        _ => "this call does not wait",
    };

    private static string Ms(double ms) => TimeText.Of(TimeSpan.FromMilliseconds(ms < 10 ? Math.Round(ms, 2) : Math.Round(ms)));

    /// <inheritdoc/>
    public override ResilienceException ToException() => new AdaptiveLimitReachedException(this);
}
