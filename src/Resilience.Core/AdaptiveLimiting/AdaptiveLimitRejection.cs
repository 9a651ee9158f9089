using System.Globalization;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <summary>An adaptive concurrency limit rejected the call. One instance for each reason, class and window: rejecting allocates nothing.</summary>
public sealed class AdaptiveLimitRejection : Rejection
{
    private readonly TimeSpan? _latency;
    private readonly TimeSpan? _baseline;

    internal AdaptiveLimitRejection(
        PolicyEnvironment environment, AdaptiveLimitReason why, Criticality criticality, int limit, TimeSpan? latency, TimeSpan? baseline)
        : base(environment.PipelineName, environment.PolicyName) =>
        (Why, Criticality, Limit, _latency, _baseline) = (why, criticality, limit, latency, baseline);

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
        + string.Create(CultureInfo.InvariantCulture, $"(limit {Limit}{Adapted}) ")
        + $"and {Waiting}; a place becomes free when a running call ends.";

    private string Adapted => _latency is null ? "" : ", adapted" + AdaptiveLimitText.Latency(_latency, _baseline);

    private string Waiting => Why switch
    {
        AdaptiveLimitReason.QueueFull => "the queue is full",
        AdaptiveLimitReason.WaitedTooLong => "none became free within the longest wait or before the deadline",
        AdaptiveLimitReason.Standing => "its queue does not become empty, so only the newest are served",
        AdaptiveLimitReason.Evicted => "a call of a higher class took its place in the full queue",
        _ => "this call does not wait",
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new AdaptiveLimitReachedException(this);
}
