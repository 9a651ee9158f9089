namespace Resilience.Overload;

/// <summary>A server rejected a request to protect those that it serves: nothing was carried out.</summary>
public sealed class LoadShedException : ResilienceException
{
    internal LoadShedException(ShedRejection rejection)
        : base(rejection)
    {
        Why = rejection.Why;
        Criticality = rejection.Criticality;
    }

    /// <summary>What was overloaded.</summary>
    public ShedReason Why { get; }

    /// <summary>The class of the request.</summary>
    public Criticality Criticality { get; }
}
