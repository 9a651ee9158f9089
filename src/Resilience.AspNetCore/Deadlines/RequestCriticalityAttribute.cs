namespace Resilience.Overload;

/// <summary>The class of the requests of an endpoint. A request may state a lower one, never a higher one.</summary>
/// <param name="criticality">The class.</param>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class RequestCriticalityAttribute(Criticality criticality) : Attribute
{
    /// <summary>The class.</summary>
    public Criticality Criticality { get; } = criticality;
}
