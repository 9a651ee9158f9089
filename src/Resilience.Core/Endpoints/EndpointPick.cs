namespace Resilience.Overload;

/// <summary>An endpoint that was chosen for one call. Give it back once, with <see cref="EndpointSet.Release"/>.</summary>
public readonly struct EndpointPick
{
    internal EndpointPick(TargetEndpoint endpoint, long beganAt, bool isProbe) => (Endpoint, BeganAt, IsProbe) = (endpoint, beganAt, isProbe);

    /// <summary>The endpoint.</summary>
    public TargetEndpoint Endpoint { get; }

    /// <summary>Whether the call finds out whether the endpoint has recovered.</summary>
    public bool IsProbe { get; }

    internal long BeganAt { get; }
}
