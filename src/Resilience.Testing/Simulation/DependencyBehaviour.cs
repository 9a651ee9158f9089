using Resilience.Extensibility;

namespace Resilience.Testing;

/// <summary>What a simulated dependency does with a request, from a moment on. Immutable.</summary>
public sealed record DependencyBehaviour
{
    /// <summary>The mean time to serve a request, once it is its turn; with <see cref="LatencySpread.Bimodal"/> the time of those that are not slow. 0 or more;
    /// default 10 ms.</summary>
    public TimeSpan Latency { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>How that time is spread. Default: <see cref="LatencySpread.Fixed"/>.</summary>
    public LatencySpread Spread { get; init; }

    /// <summary>With <see cref="LatencySpread.Bimodal"/>: the share of requests that take <see cref="SlowLatency"/>. 0 to 1; default 0.05.</summary>
    public double SlowShare { get; init; } = 0.05;

    /// <summary>With <see cref="LatencySpread.Bimodal"/>: how long the slow requests take. 0 or more; default 500 ms.</summary>
    public TimeSpan SlowLatency { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How much longer each request takes for every other one that is being served, as a share of its time: with 0.02, fifty-one at once take twice
    /// as long as one alone. 0 or more; default 0. Counts what is served when the request begins; with
    /// <see cref="ServingDiscipline.SharedProcessor"/>, at every moment.</summary>
    public double SlowdownPerRequest { get; init; }

    /// <summary>The share of requests that fail after their latency, nothing done: 0 to 1; default 0.</summary>
    public double FailureRate { get; init; }

    /// <summary>The share of requests that are done and whose reply is then lost, so that the caller sees a failure: 0 to 1; default 0.</summary>
    public double LostReplyRate { get; init; }

    /// <summary>The share of requests that are done and never answered at all: 0 to 1; default 0. Callers without a timeout hang.</summary>
    public double HangRate { get; init; }

    /// <summary>The error of a failed request and of a lost reply. Default: an <see cref="HttpRequestException"/>.</summary>
    public Func<Exception> Failure { get; init; } = static () => new HttpRequestException("The simulated dependency failed.");

    /// <summary>What becomes of requests beyond <see cref="Capacity"/>. Default: <see cref="ServingDiscipline.InTurn"/>, they wait.</summary>
    public ServingDiscipline Discipline { get; init; }

    /// <summary>How many requests are served at once; the others wait their turn. With <see cref="ServingDiscipline.SharedProcessor"/>: how many are served
    /// at full speed. 1 or more; default null: all.</summary>
    public int? Capacity { get; init; }

    /// <summary>How many may wait for their turn (or be served beyond the capacity of a shared processor); more fail at once. 0 or more; default null: any
    /// number. Ignored without <see cref="Capacity"/>.</summary>
    public int? MaxQueued { get; init; }

    /// <summary>Whether it notices that a caller has given up: then the request leaves the queue, or its place, at that moment, nothing done. Default false: it
    /// is served all the same.</summary>
    public bool HonorsCancellation { get; init; }

    /// <summary>A request counts as abandoned if its caller had given up at least so long before it was served: work that a cancellation could have
    /// spared. 0 or more; default 0: whenever the caller had given up.</summary>
    public TimeSpan AbandonedAfter { get; init; }

    internal void ThrowIfInvalid()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Latency, TimeSpan.Zero, nameof(Latency));
        ArgumentOutOfRangeException.ThrowIfLessThan(SlowLatency, TimeSpan.Zero, nameof(SlowLatency));
        ArgumentOutOfRangeException.ThrowIfLessThan(AbandonedAfter, TimeSpan.Zero, nameof(AbandonedAfter));
        if (!(SlowdownPerRequest >= 0 && double.IsFinite(SlowdownPerRequest)))
            throw new ArgumentOutOfRangeException(nameof(SlowdownPerRequest), SlowdownPerRequest, "SlowdownPerRequest is 0 or more.");
        if (!Enum.IsDefined(Spread)) throw new ArgumentOutOfRangeException(nameof(Spread), Spread, "Spread is a defined value.");
        if (!Enum.IsDefined(Discipline)) throw new ArgumentOutOfRangeException(nameof(Discipline), Discipline, "Discipline is a defined value.");
        CheckShare(SlowShare, nameof(SlowShare));
        CheckShare(FailureRate, nameof(FailureRate));
        CheckShare(LostReplyRate, nameof(LostReplyRate));
        CheckShare(HangRate, nameof(HangRate));
        if (FailureRate + LostReplyRate + HangRate > 1)
            throw new ArgumentOutOfRangeException(nameof(FailureRate), "FailureRate, LostReplyRate and HangRate make more than 1 together.");
        ArgumentNullException.ThrowIfNull(Failure, nameof(Failure));
        if (Capacity is { } capacity) ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1, nameof(Capacity));
        if (MaxQueued is { } queued) ArgumentOutOfRangeException.ThrowIfNegative(queued, nameof(MaxQueued));
    }

    /// <summary>How long one request takes, once it is its turn, alone.</summary>
    internal TimeSpan Draw(Randomness randomness) => Spread switch
    {
        LatencySpread.Uniform => Latency * (2 * randomness.NextDouble()),
        LatencySpread.Exponential => Latency * -Math.Log(1 - randomness.NextDouble()),
        LatencySpread.Bimodal => randomness.NextDouble() < SlowShare ? SlowLatency : Latency,
        _ => Latency,
    };

    /// <summary>How much longer it takes while so many are served.</summary>
    internal double Slowdown(int serving) => 1 + (SlowdownPerRequest * Math.Max(0, serving - 1));

    /// <summary>How fast each of so many requests goes on that share the processor: 1 is the speed of one alone.</summary>
    internal double SpeedOf(int serving) => Math.Min(1, (Capacity ?? int.MaxValue) / (double)Math.Max(1, serving)) / Slowdown(serving);

    private static void CheckShare(double share, string name)
    {
        if (share is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(name, share, $"{name} is a share: 0 to 1.");
    }
}
