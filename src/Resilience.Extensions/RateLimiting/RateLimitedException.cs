namespace Resilience;

/// <summary>A rate limiter rejected the call: the dependency was not asked.</summary>
public sealed class RateLimitedException : ResilienceException
{
    internal RateLimitedException(RateLimitRejection rejection)
        : base(rejection)
    {
    }
}
