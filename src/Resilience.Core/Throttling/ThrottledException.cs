namespace Resilience.Overload;

/// <summary>An adaptive throttle rejected the call: the dependency was not asked.</summary>
public sealed class ThrottledException : ResilienceException
{
    internal ThrottledException(ThrottleRejection rejection)
        : base(rejection) => Criticality = rejection.Criticality;

    /// <summary>The class of the call.</summary>
    public Criticality Criticality { get; }
}
