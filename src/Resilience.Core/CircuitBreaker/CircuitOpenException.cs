namespace Resilience;

/// <summary>A circuit breaker rejected the call: the dependency was not asked.</summary>
public sealed class CircuitOpenException : ResilienceException
{
    internal CircuitOpenException(CircuitRejection rejection)
        : base(rejection) => State = rejection.State;

    /// <summary>Why: open, half open with all probes out, isolated; or closed, when the circuit is letting calls in again little by little.</summary>
    public CircuitState State { get; }
}
