namespace Resilience.Overload;

/// <summary>An adaptive concurrency limit rejected the call: the dependency was not asked.</summary>
public sealed class AdaptiveLimitReachedException : ResilienceException
{
    internal AdaptiveLimitReachedException(AdaptiveLimitRejection rejection)
        : base(rejection) => (Why, Criticality) = (rejection.Why, rejection.Criticality);

    /// <summary>Which bound was reached.</summary>
    public AdaptiveLimitReason Why { get; }

    /// <summary>The class of the call.</summary>
    public Criticality Criticality { get; }
}
