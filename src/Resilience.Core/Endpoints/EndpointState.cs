namespace Resilience.Overload;

/// <summary>Whether an endpoint is used.</summary>
internal enum EndpointState
{
    /// <summary>As the others.</summary>
    In = 0,

    /// <summary>Left out until a moment.</summary>
    Ejected = 1,

    /// <summary>That moment has passed: one call at a time goes to it.</summary>
    Probing = 2,

    /// <summary>With a weight that grows.</summary>
    Ramping = 3,
}
