namespace Resilience.Configuration;

/// <summary>What configuration may say about a circuit breaker: <see cref="CircuitBreakerOptions"/> without its delegates.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record CircuitBreakerSettings
{
    /// <summary>False takes the breaker out of the pipeline. Null or true: it stays.</summary>
    public bool? Enabled { get; set; }

    /// <summary>Opens when at least this share of the calls in the window failed, given <see cref="MinimumCalls"/>. Over 0 to 1; 0 turns
    /// the rule off.</summary>
    public double? FailureRatio { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.MinimumCalls"/>
    public int? MinimumCalls { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.SamplingDuration"/>
    public TimeSpan? SamplingDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.SamplingCalls"/>
    public int? SamplingCalls { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.Buckets"/>
    public int? Buckets { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.ConsecutiveFailures"/>
    public int? ConsecutiveFailures { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.ConsecutiveFailuresWithin"/>
    public TimeSpan? ConsecutiveFailuresWithin { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.SlowCallThreshold"/>
    public TimeSpan? SlowCallThreshold { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.SlowCallRatio"/>
    public double? SlowCallRatio { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.BreakDuration"/>
    public TimeSpan? BreakDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.BreakGrowth"/>
    public double? BreakGrowth { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.MaxBreakDuration"/>
    public TimeSpan? MaxBreakDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.BreakJitter"/>
    public double? BreakJitter { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.BreakDecay"/>
    public TimeSpan? BreakDecay { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.BreakFollowsRetryAfter"/>
    public bool? BreakFollowsRetryAfter { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.Probes"/>
    public int? Probes { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.SuccessThreshold"/>
    public int? SuccessThreshold { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.ProbeLease"/>
    public TimeSpan? ProbeLease { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.RampDuration"/>
    public TimeSpan? RampDuration { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.RampFrom"/>
    public double? RampFrom { get; set; }

    /// <inheritdoc cref="CircuitBreakerOptions.DryRun"/>
    public bool? DryRun { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (FailureRatio is { } failureRatio) options.FailureRatio = failureRatio == 0 ? null : failureRatio;
        if (MinimumCalls is { } minimumCalls) options.MinimumCalls = minimumCalls;
        if (SamplingDuration is { } samplingDuration) options.SamplingDuration = samplingDuration;
        if (SamplingCalls is { } samplingCalls) options.SamplingCalls = samplingCalls;
        if (Buckets is { } buckets) options.Buckets = buckets;
        if (ConsecutiveFailures is { } consecutive) options.ConsecutiveFailures = consecutive;
        if (ConsecutiveFailuresWithin is { } within) options.ConsecutiveFailuresWithin = within;
        if (SlowCallThreshold is { } slow) options.SlowCallThreshold = slow;
        if (SlowCallRatio is { } slowRatio) options.SlowCallRatio = slowRatio;
        if (BreakDuration is { } breakDuration) options.BreakDuration = breakDuration;
        if (BreakGrowth is { } growth) options.BreakGrowth = growth;
        if (MaxBreakDuration is { } maxBreak) options.MaxBreakDuration = maxBreak;
        if (BreakJitter is { } jitter) options.BreakJitter = jitter;
        if (BreakDecay is { } decay) options.BreakDecay = decay;
        if (BreakFollowsRetryAfter is { } follows) options.BreakFollowsRetryAfter = follows;
        if (Probes is { } probes) options.Probes = probes;
        if (SuccessThreshold is { } success) options.SuccessThreshold = success;
        if (ProbeLease is { } lease) options.ProbeLease = lease;
        if (RampDuration is { } rampDuration) options.RampDuration = rampDuration;
        if (RampFrom is { } rampFrom) options.RampFrom = rampFrom;
        if (DryRun is { } dryRun) options.DryRun = dryRun;
    }
}
