namespace Resilience.Overload;

/// <summary>Why an endpoint is left out for a time.</summary>
public enum EjectionReason
{
    /// <summary>So many failures in a row (<see cref="EndpointEjectionOptions.ConsecutiveFailures"/>).</summary>
    ConsecutiveFailures = 0,

    /// <summary>Too large a share of its calls failed (<see cref="EndpointEjectionOptions.FailureShare"/>).</summary>
    FailureShare,

    /// <summary>It is much slower than the others (<see cref="EndpointEjectionOptions.SlowFactor"/>).</summary>
    Slow,

    /// <summary>It was tried again after a former time, and failed.</summary>
    FailedAgain,
}
