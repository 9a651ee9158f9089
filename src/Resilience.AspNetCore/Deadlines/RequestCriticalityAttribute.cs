namespace Resilience.Overload;

/// <summary>The class of the requests of an endpoint that state none themselves.</summary>
/// <param name="criticality">The class.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequestCriticalityAttribute(Criticality criticality) : Attribute
{
    /// <summary>The class.</summary>
    public Criticality Criticality { get; } = criticality;
}
