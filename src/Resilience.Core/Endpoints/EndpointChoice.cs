namespace Resilience.Overload;

/// <summary>How an endpoint is chosen among those that may be used.</summary>
public enum EndpointChoice
{
    /// <summary>Of two that are drawn, the one with the lower load: needs no common order, and does not send all callers to the same one.</summary>
    PowerOfTwo = 0,

    /// <summary>Each in its turn.</summary>
    RoundRobin,

    /// <summary>The first of the list that may be used: a primary and its substitutes.</summary>
    Ordered,
}
