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

    internal LimitRefusal(string policyName, LimitReason why, int limit, int queue)
        : base(policyName)
    {
        Why = why;
        _limit = limit;
        _queue = queue;
    }

    /// <summary>Which bound was reached.</summary>
    public LimitReason Why { get; }

    /// <inheritdoc/>
    public override string Reason => (Why, _queue) switch
    {
        (LimitReason.WaitedTooLong, _) => string.Create(
            CultureInfo.InvariantCulture, $"{PolicyName}: {_limit} calls run already and none ended while this one waited."),
        (_, 0) => string.Create(CultureInfo.InvariantCulture, $"{PolicyName}: {_limit} calls run already and nobody may wait."),
        _ => string.Create(CultureInfo.InvariantCulture, $"{PolicyName}: {_limit} calls run already and {_queue} wait."),
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
