using Resilience.Overload;

namespace Resilience;

/// <summary>What a caller can say about one call. <c>default</c> says nothing.</summary>
/// <remarks>Calls made with options show their <see cref="ResilienceContext"/> to the delegate and therefore allocate it, unless
/// <see cref="ReleasesContext"/>.</remarks>
public readonly record struct CallOptions
{
    private readonly TimeSpan? _deadline;
    private readonly Criticality? _criticality;

    /// <summary>Says what the call is.</summary>
    /// <param name="operation">See <see cref="Operation"/>.</param>
    public CallOptions(string? operation) => Operation = operation;

    /// <summary>What is being done ("charge"): an attribute of the telemetry, so of few distinct values, and a key for keyed policies.</summary>
    public string? Operation { get; init; }

    /// <summary>The time the whole call may take, all attempts and waits together. Within a request (<see cref="RequestContext"/>) the earlier deadline
    /// of the two holds.</summary>
    /// <remarks>
    /// No wait outlasts it, and the outermost timeout policy ends the call when it has passed (as <see cref="Verdict.Ignored"/>: a
    /// caller in a hurry says nothing about the dependency, unless <see cref="DeadlineCounts"/>). Without a timeout policy nothing is cancelled.
    /// </remarks>
    /// <exception cref="ArgumentOutOfRangeException">Negative.</exception>
    public TimeSpan? Deadline
    {
        get => _deadline;
        init
        {
            if (value is { } given && given < TimeSpan.Zero)
                throw new ArgumentOutOfRangeException(nameof(value), given, "A deadline lies in the future: zero or more.");
            _deadline = value;
        }
    }

    /// <summary>How much it matters that the call succeeds: under overload, throttles and limits reject the lower classes first. Null (default): that of
    /// the request (<see cref="RequestContext.Criticality"/>), or <see cref="Criticality.Critical"/> outside of one. Attempts and hedges of the call
    /// inherit it, a hedge one class lower.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Undefined.</exception>
    public Criticality? Criticality
    {
        get => _criticality;
        init
        {
            if (value is { } given && (uint)given > (uint)Resilience.Overload.Criticality.CriticalPlus)
                throw new ArgumentOutOfRangeException(nameof(value), given, "A defined class of criticality.");
            _criticality = value;
        }
    }

    /// <summary>Whether it speaks against the dependency that the <see cref="Deadline"/> passes while an attempt is under way: for protocols in which a
    /// deadline is how callers limit each call (gRPC). It is a <see cref="Verdict.Failure"/> then, of an attempt that had at least half of
    /// that time. Default false: <see cref="Verdict.Ignored"/>. A deadline that has passed before anything is begun is ignored in any case.</summary>
    public bool DeadlineCounts { get; init; }

    /// <summary>Whether the delegate, and all that it calls, does not touch the context any more when it has ended, so that the object serves other calls:
    /// for code that wraps each call of a protocol. Default false: the context is the call's own, and throws when it is touched later. Said where
    /// it does not hold, the context of another call is touched.</summary>
    public bool ReleasesContext { get; init; }

    /// <summary>Whether the delegate of each attempt runs where the caller was when it called: on its <see cref="SynchronizationContext"/> (WPF,
    /// WinForms, Blazor) or <see cref="TaskScheduler"/> (a grain of Orleans). Default false: the first attempt does, unless it waited in a queue, and the
    /// later ones run on the thread pool.</summary>
    /// <remarks>
    /// Callbacks of policies, such as <see cref="RetryOptions.OnRetry"/>, run on the thread pool in any case. An attempt waits until the context runs it,
    /// and its timeout goes on meanwhile. A caller that blocks its context until the call has ended waits for itself. For asynchronous calls only: a
    /// synchronous one never leaves its thread.
    /// </remarks>
    public bool ContinueOnCapturedContext { get; init; }

    /// <summary>What travels with the call; copied when the call begins.</summary>
    public CallProperties? Properties { get; init; }
}
