using System.Globalization;

namespace Resilience;

/// <summary>Why a concurrency limit refused a call.</summary>
public enum LimitReason
{
    /// <summary>All places are taken and the queue is full (or there is none).</summary>
    QueueFull = 0,

    /// <summary>The call waited as long as it may and no place became free.</summary>
    WaitedTooLong = 1,
}

/// <summary>A concurrency limit refused the call. Shared instances: refusing allocates nothing.</summary>
public sealed class LimitRefusal : Refusal
{
    private readonly int _limit;
    private readonly int _queue;
    private readonly TimeSpan _wait;

    internal LimitRefusal(PolicyEnvironment environment, LimitReason why, int limit, int queue, TimeSpan wait)
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
    /// <remarks>A limit keeps no book of when it filled up, so the sentence speaks of the moment of the refusal, and it cannot know when a
    /// running call will end.</remarks>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture,
        $"{Who}: at this moment {_limit} calls run already (limit {_limit}) and {Waiting}; a place will be free when one of them ends.");

    private string Waiting => (Why, _queue) switch
    {
        (LimitReason.WaitedTooLong, _) => $"none ended while this one waited, which it may for {PolicyDescription.Format(_wait)} within its deadline",
        (_, 0) => "nobody may wait (limit 0)",
        _ => string.Create(CultureInfo.InvariantCulture, $"{_queue} wait (limit {_queue})"),
    };

    /// <inheritdoc/>
    public override ResilienceException ToException() => new LimitReachedException(this);
}

/// <summary>A concurrency limit refused the call: the dependency was not asked.</summary>
public sealed class LimitReachedException : ResilienceException
{
    internal LimitReachedException(LimitRefusal refusal)
        : base(refusal) => Why = refusal.Why;

    /// <summary>Which bound was reached.</summary>
    public LimitReason Why { get; }
}
