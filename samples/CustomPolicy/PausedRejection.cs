namespace Resilience.CustomPolicy;

/// <summary>Calls are paused. One instance for each pause: rejecting allocates nothing.</summary>
public sealed class PausedRejection : Rejection
{
    private readonly TimeProvider _time;
    private readonly long _start;
    private readonly TimeSpan _length;

    internal PausedRejection(string policyName, string why, TimeSpan length, TimeProvider time)
        : base(policyName)
    {
        Why = why;
        Since = time.GetUtcNow();
        _time = time;
        _start = time.GetTimestamp();
        _length = length;
    }

    /// <summary>What the person said who paused.</summary>
    public string Why { get; }

    public override DateTimeOffset? Since { get; }

    public override TimeSpan? RetryAfter => IsOver ? TimeSpan.Zero : _length - _time.GetElapsedTime(_start);

    public override string Reason => $"{Who}: calls are paused since {Moment(Since!.Value, _time.GetUtcNow())} because {Why}; "
        + $"they will go on {Ahead(RetryAfter!.Value, _time.GetUtcNow())}.";

    public override ResilienceException ToException() => new(this);

    internal bool IsOver => _time.GetElapsedTime(_start) >= _length;
}
