namespace Resilience;

/// <summary>What a caller can say about one call. <c>default</c> says nothing.</summary>
/// <remarks>Calls made with options show their <see cref="ResilienceContext"/> to the delegate and therefore allocate it.</remarks>
public readonly record struct CallOptions
{
    private readonly TimeSpan? _deadline;

    /// <summary>Says what the call is.</summary>
    /// <param name="operation">See <see cref="Operation"/>.</param>
    public CallOptions(string? operation) => Operation = operation;

    /// <summary>What is being done ("charge"): an attribute of the telemetry, so of few distinct values, and a key for keyed policies.</summary>
    public string? Operation { get; init; }

    /// <summary>The time the whole call may take, all attempts and waits together.</summary>
    /// <remarks>
    /// No wait outlasts it, and the outermost timeout policy ends the call when it has passed (as <see cref="Verdict.Ignored"/>: a
    /// caller in a hurry says nothing about the dependency). Without a timeout policy nothing is cancelled.
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

    /// <summary>What travels with the call; copied when the call begins.</summary>
    public CallProperties? Properties { get; init; }
}
