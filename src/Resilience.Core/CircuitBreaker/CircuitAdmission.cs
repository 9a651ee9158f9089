namespace Resilience.Extensibility;

/// <summary>The answer of <see cref="CircuitBreaker.TryEnter(out CircuitPermit)"/>.</summary>
public enum CircuitAdmission
{
    /// <summary>Go on; the result will be counted.</summary>
    Admitted = 0,

    /// <summary>Go on as a probe: this result decides.</summary>
    AdmittedAsProbe = 1,

    /// <summary>Go on, though in earnest the call would have been rejected: the breaker only watches (dry run).</summary>
    AdmittedInDryRun = 2,

    /// <summary>Rejected: the circuit is open.</summary>
    RejectedOpen = 3,

    /// <summary>Rejected: the circuit is half open and all probes are out.</summary>
    RejectedProbesTaken = 4,

    /// <summary>Rejected: the circuit has just closed and admits a growing share of the calls; this one is not in it.</summary>
    RejectedRamping = 5,

    /// <summary>Rejected: the circuit is held open by hand.</summary>
    RejectedIsolated = 6,
}
