using System.Diagnostics;

namespace Resilience.Events;

/// <summary>A rate limiter rejected a call.</summary>
/// <param name="PipelineName">The pipeline.</param>
/// <param name="PolicyName">The limiter's policy.</param>
/// <param name="Rejection">Why, and until when.</param>
public sealed record RateLimitReached(string PipelineName, string PolicyName, RateLimitRejection Rejection) : ResilienceEvent(PipelineName, PolicyName)
{
    /// <inheritdoc/>
    public override int GetEventId() => 9;

    /// <inheritdoc/>
    public override EventMessage GetMessage()
    {
        string reason = ReasonWithoutNames(Rejection);
        EventMessage message = $"call rejected: {reason}";
        return message.With(nameof(Rejection.RetryAfter), Rejection.RetryAfter);
    }

    /// <summary>Counts them.</summary>
    public static EventMetric Metric { get; } = new("resilience.rate_limit.rejections", "{call}", "Calls rejected by a rate limiter.");

    /// <inheritdoc/>
    public override EventMetric GetMetric() => Metric;

    /// <inheritdoc/>
    public override Rejection GetRejection() => Rejection;

    /// <summary>A limiter says that it has no permits, and no more that is bounded.</summary>
    public override void AddTags(ref TagList tags) => tags.Add("resilience.reason", "no_permits");

    /// <inheritdoc/>
    public override EventGroup? GetGroup() => new("rejected rate", IsRejection: true);

    /// <summary>Without the limiter's own words, which may say more than they should.</summary>
    public override string GetSummary(bool withKeys) => $"{PolicyName}: the rate limit is reached.";
}
