using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A concurrency limit rejected the call. Shared instances: rejecting allocates nothing.</summary>
public sealed class LimitRejection : Rejection
{
    private readonly int _limit;
    private readonly int _queue;
    private readonly TimeSpan _wait;

    internal LimitRejection(PolicyEnvironment environment, LimitReason why, int limit, int queue, TimeSpan wait)
        : base(environment.PipelineName, environment.PolicyName)
    {
        Why = why;
        _limit = limit;
        _queue = queue;
        _wait = wait;
    }

    /// <summary>Which bound was reached.</summary>
    public LimitReason Why { get; }

    /// <inheritdoc/>
    /// <remarks>A limit keeps no book of when it filled up, so the sentence speaks of the moment of the rejection, and it cannot know when a
    /// running call will end.</remarks>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture,
        $"{Who}: {Places} at this moment (limit {_limit}) and {Waiting}; a place becomes free when a running call ends.");

    private string Places => _limit == 1 ? "the only place is taken" : "all places are taken";

    private string Waiting => (Why, _queue) switch
    {
        (LimitReason.WaitedTooLong, _) => $"none became free within the longest wait ({TimeText.Of(_wait)}) or before the deadline",
        (_, 0) => "no call may wait (queue limit 0)",
        _ => string.Create(CultureInfo.InvariantCulture, $"the queue is full (queue limit {_queue})"),
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new LimitReachedException(this);
}
