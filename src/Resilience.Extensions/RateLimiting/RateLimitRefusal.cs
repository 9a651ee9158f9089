namespace Resilience;

/// <summary>A rate limiter gave no lease: the dependency was not asked.</summary>
public sealed class RateLimitRefusal : Refusal
{
    internal RateLimitRefusal(string policyName, TimeSpan? retryAfter, string? said)
        : base(policyName)
    {
        RetryAfter = retryAfter;
        Said = said;
    }

    /// <summary>When the limiter expects permits, where it says so.</summary>
    public override TimeSpan? RetryAfter { get; }

    /// <summary>The limiter's own words, where it has any.</summary>
    public string? Said { get; }

    /// <inheritdoc/>
    public override string Reason => string.Concat(
        PolicyName, ": the rate limit is reached",
        Said is { Length: > 0 } said ? $" ({said})" : "",
        RetryAfter is { } wait ? FormattableString.Invariant($"; permits are expected in {wait.TotalSeconds:0.###} s.") : ".");

    /// <inheritdoc/>
    public override ResilienceException ToException() => new RateLimitedException(this);
}

/// <summary>A rate limiter refused the call: the dependency was not asked.</summary>
public sealed class RateLimitedException : ResilienceException
{
    internal RateLimitedException(RateLimitRefusal refusal)
        : base(refusal)
    {
    }
}
