using System.Globalization;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A rate limiter gave no lease: the dependency was not asked.</summary>
public sealed class RateLimitRejection : Rejection
{
    private readonly int _permits;
    private readonly DateTimeOffset _at;

    internal RateLimitRejection(PolicyEnvironment environment, int permits, TimeSpan? retryAfter, string? limiterReason)
        : base(environment.PipelineName, environment.PolicyName)
    {
        _permits = permits;
        _at = SafeCalls.Time(environment.TimeProvider).GetUtcNow();
        RetryAfter = retryAfter;
        LimiterReason = limiterReason;
    }

    /// <summary>When the limiter expects permits, where it says so.</summary>
    public override TimeSpan? RetryAfter { get; }

    /// <summary>The reason that the limiter itself gives; null where it gives none.</summary>
    public string? LimiterReason { get; }

    /// <inheritdoc/>
    /// <remarks>A limiter does not say since when it is empty, so the sentence tells when it was asked.</remarks>
    public override string Reason => string.Create(
        CultureInfo.InvariantCulture,
        $"{Who}: the rate limit is reached, as of {Moment(_at, _at)}, because the limiter had {Lacking} available{Words}; ")
        + (RetryAfter is { } wait ? $"permits are expected {Ahead(wait, _at)}." : "the limiter does not say when there will be any.");

    private string Lacking => _permits <= 1 ? "no permit" : string.Create(CultureInfo.InvariantCulture, $"fewer than {_permits} permits");

    private string Words => LimiterReason is { Length: > 0 } ? $" ({LimiterReason})" : "";

    /// <inheritdoc/>
    public override ResilienceException ToException() => new RateLimitedException(this);
}
