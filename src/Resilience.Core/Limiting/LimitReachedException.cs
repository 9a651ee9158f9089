namespace Resilience;

/// <summary>A concurrency limit rejected the call: the dependency was not asked.</summary>
public sealed class LimitReachedException : ResilienceException
{
    internal LimitReachedException(LimitRejection rejection)
        : base(rejection) => Why = rejection.Why;

    /// <summary>Which bound was reached.</summary>
    public LimitReason Why { get; }
}
