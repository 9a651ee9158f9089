namespace Resilience.Testing;

/// <summary>What a simulated dependency does with a request, from a moment on. Immutable.</summary>
public sealed record DependencyBehaviour
{
    /// <summary>The mean time to serve a request, once it is its turn. 0 or more; default 10 ms.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How that time is spread. Default: <see cref="LatencySpread.Fixed"/>.</summary>
    public LatencySpread Spread { get; init; }

    /// <summary>The share of requests that fail after their latency, nothing done: 0 to 1; default 0.</summary>
    public double FailureRate { get; init; }

    /// <summary>The share of requests that are done and whose reply is then lost, so that the caller sees a failure: 0 to 1; default 0.</summary>
    public double LostReplyRate { get; init; }

    /// <summary>The share of requests that are done and never answered at all: 0 to 1; default 0. Callers without a timeout hang.</summary>
    public double HangRate { get; init; }

    /// <summary>The error of a failed request and of a lost reply. Default: an <see cref="HttpRequestException"/>.</summary>
    public Func<Exception> Failure { get; init; } = static () => new HttpRequestException("The simulated dependency failed.");

    /// <summary>How many requests are served at once; the others wait their turn. 1 or more; default null: all.</summary>
    public int? Capacity { get; init; }

    /// <summary>How many may wait for their turn; more fail at once. 0 or more; default null: any number. Ignored without <see cref="Capacity"/>.</summary>
    public int? MaxQueued { get; init; }

    internal void ThrowIfInvalid()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Latency, TimeSpan.Zero, nameof(Latency));
        CheckShare(FailureRate, nameof(FailureRate));
        CheckShare(LostReplyRate, nameof(LostReplyRate));
        CheckShare(HangRate, nameof(HangRate));
        if (FailureRate + LostReplyRate + HangRate > 1)
            throw new ArgumentOutOfRangeException(nameof(FailureRate), "FailureRate, LostReplyRate and HangRate make more than 1 together.");
        ArgumentNullException.ThrowIfNull(Failure, nameof(Failure));
        if (Capacity is { } capacity) ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1, nameof(Capacity));
        if (MaxQueued is { } queued) ArgumentOutOfRangeException.ThrowIfNegative(queued, nameof(MaxQueued));
    }

    private static void CheckShare(double share, string name)
    {
        if (share is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(name, share, $"{name} is a share: 0 to 1.");
    }
}
