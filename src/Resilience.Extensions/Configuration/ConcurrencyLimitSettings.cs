namespace Resilience.Configuration;

/// <summary>What configuration may say about a concurrency limit.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record ConcurrencyLimitSettings
{
    /// <summary>False takes the limit out of the pipeline. Null or true: it stays.</summary>
    public bool? Enabled { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitOptions.MaxConcurrent"/>
    public int? MaxConcurrent { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitOptions.MaxQueued"/>
    public int? MaxQueued { get; set; }

    /// <inheritdoc cref="ConcurrencyLimitOptions.MaxWait"/>
    public TimeSpan? MaxWait { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(ConcurrencyLimitOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (MaxConcurrent is { } maxConcurrent) options.MaxConcurrent = maxConcurrent;
        if (MaxQueued is { } maxQueued) options.MaxQueued = maxQueued;
        if (MaxWait is { } maxWait) options.MaxWait = maxWait;
    }
}
