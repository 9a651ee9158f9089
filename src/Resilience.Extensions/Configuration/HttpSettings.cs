using Resilience.Http;

namespace Resilience.Configuration;

/// <summary>What configuration may say about the standard pipeline of an <see cref="HttpClient"/>: <see cref="StandardResilienceOptions"/>
/// without their delegates. Unlike in <see cref="PipelineSettings"/>, a group that is absent leaves the default policy in place.</summary>
/// <inheritdoc cref="RetrySettings" path="/remarks"/>
public sealed record HttpSettings
{
    /// <inheritdoc cref="StandardResilienceOptions.TotalTimeout"/>
    public TimeSpan? TotalTimeout { get; set; }

    /// <summary>The retry; taken out by <c>Enabled: false</c>.</summary>
    public RetrySettings? Retry { get; set; }

    /// <summary>The circuit breaker of each authority; taken out by <c>Enabled: false</c>.</summary>
    public CircuitBreakerSettings? CircuitBreaker { get; set; }

    /// <summary>The concurrency limit of each authority. Null: as the code says, by default none.</summary>
    public ConcurrencyLimitSettings? ConcurrencyLimit { get; set; }

    /// <inheritdoc cref="StandardResilienceOptions.AttemptTimeout"/>
    public TimeSpan? AttemptTimeout { get; set; }

    /// <inheritdoc cref="PipelineSettings.AcceptedWarnings"/>
    public IReadOnlyList<string>? AcceptedWarnings { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.MaxAuthorities"/>
    public int? MaxAuthorities { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.ThrottlingCounts"/>
    public bool? ThrottlingCounts { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.MaxNamedAuthorities"/>
    public int? MaxNamedAuthorities { get; set; }

    /// <summary>Which requests the server is meant to hold open. Null: as the code says, by default none.</summary>
    public LongPollSettings? LongPolls { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.HoldPlaceForStreams"/>
    public bool? HoldPlaceForStreams { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.BufferResponses"/>
    public bool? BufferResponses { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.MaxBufferedResponseBytes"/>
    public long? MaxBufferedResponseBytes { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.ReadIdleTimeout"/>
    public TimeSpan? ReadIdleTimeout { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.BodyTimeout"/>
    public TimeSpan? BodyTimeout { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.ReplayBufferBytes"/>
    public int? ReplayBufferBytes { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.BufferRequestBytes"/>
    public int? BufferRequestBytes { get; set; }

    /// <inheritdoc cref="HttpResilienceOptions.DeadlineHeader"/>
    public string? DeadlineHeader { get; set; }

    /// <summary>Copies what was configured to the options.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    public void ApplyTo(StandardResilienceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        ApplyPolicies(options);
        foreach (string code in AcceptedWarnings ?? []) options.AcceptedWarnings.Add(code);
        if (MaxAuthorities is { } maxAuthorities) options.MaxAuthorities = maxAuthorities;
        if (ThrottlingCounts is { } throttling) options.ThrottlingCounts = throttling;
        if (MaxNamedAuthorities is { } maxNamed) options.MaxNamedAuthorities = maxNamed;
        LongPolls?.ApplyTo(options.LongPolls);
        if (HoldPlaceForStreams is { } hold) options.HoldPlaceForStreams = hold;
        if (BufferResponses is { } buffer) options.BufferResponses = buffer;
        if (MaxBufferedResponseBytes is { } maxBuffered) options.MaxBufferedResponseBytes = maxBuffered;
        if (ReadIdleTimeout is { } idle) options.ReadIdleTimeout = idle;
        if (BodyTimeout is { } body) options.BodyTimeout = body;
        if (ReplayBufferBytes is { } replayBytes) options.ReplayBufferBytes = replayBytes;
        if (BufferRequestBytes is { } requestBytes) options.BufferRequestBytes = requestBytes;
        if (DeadlineHeader is { } header) options.DeadlineHeader = header;
    }

    private void ApplyPolicies(StandardResilienceOptions options)
    {
        if (TotalTimeout is { } total) options.TotalTimeout = total;
        if (AttemptTimeout is { } attempt) options.AttemptTimeout = attempt;
        if (Retry is { } retry)
        {
            if (retry.Enabled is not false) retry.ApplyTo(options.Retry ??= new());
            else options.Retry = null;
        }

        if (CircuitBreaker is { } breaker)
        {
            if (breaker.Enabled is not false) breaker.ApplyTo(options.CircuitBreaker ??= new());
            else options.CircuitBreaker = null;
        }

        if (ConcurrencyLimit is { } limit)
        {
            if (limit.Enabled is not false) limit.ApplyTo(options.ConcurrencyLimit ??= new());
            else options.ConcurrencyLimit = null;
        }
    }

    /// <inheritdoc/>
    public bool Equals(HttpSettings? other) =>
        other is not null
        && (TotalTimeout, AttemptTimeout, ReadIdleTimeout, BodyTimeout)
            == (other.TotalTimeout, other.AttemptTimeout, other.ReadIdleTimeout, other.BodyTimeout)
        && Retry == other.Retry
        && CircuitBreaker == other.CircuitBreaker
        && ConcurrencyLimit == other.ConcurrencyLimit
        && (MaxNamedAuthorities, HoldPlaceForStreams) == (other.MaxNamedAuthorities, other.HoldPlaceForStreams)
        && LongPolls == other.LongPolls
        && SettingLists.Same(AcceptedWarnings, other.AcceptedWarnings)
        && (MaxAuthorities, ThrottlingCounts, BufferResponses, MaxBufferedResponseBytes, ReplayBufferBytes, BufferRequestBytes, DeadlineHeader)
            == (other.MaxAuthorities, other.ThrottlingCounts, other.BufferResponses, other.MaxBufferedResponseBytes, other.ReplayBufferBytes,
                other.BufferRequestBytes, other.DeadlineHeader);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(
        (TotalTimeout, AttemptTimeout, ReadIdleTimeout, BodyTimeout), Retry, CircuitBreaker, ConcurrencyLimit, AcceptedWarnings?.Count,
        (MaxAuthorities, ThrottlingCounts, BufferResponses, MaxBufferedResponseBytes, MaxNamedAuthorities, HoldPlaceForStreams, LongPolls),
        (ReplayBufferBytes, BufferRequestBytes, DeadlineHeader));
}
