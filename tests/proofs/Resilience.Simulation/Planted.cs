namespace Resilience.Simulations;

/// <summary>A bug put around the pipeline on purpose: the checks must find it, or they find nothing.</summary>
internal enum Planted
{
    None,

    /// <summary>A call goes to the dependency though the circuit is open.</summary>
    IgnoresOpenCircuit,

    /// <summary>A failed call is tried again, past the retry's count.</summary>
    OneAttemptMore,

    /// <summary>Retries that no budget knows of, within the count.</summary>
    OverspendsBudget,

    /// <summary>A place of the limit is taken at a failure and never given back.</summary>
    LeaksPermit,

    /// <summary>A timer is made for each failure and never disposed of.</summary>
    LeaksTimer,

    /// <summary>An attempt that begins after the call's deadline.</summary>
    IgnoresDeadline,

    /// <summary>A rejection is never told to the caller, who waits for ever.</summary>
    NeverEnds,

    /// <summary>An error of the program is tried again as if it might pass.</summary>
    RepeatsProgramErrors,

    /// <summary>An operation is done again for a key that has its receipt already.</summary>
    ForgetsReceipts,

    /// <summary>The probe is admitted and its result is not reported, again and again: the breaker never closes.</summary>
    KeepsTheCircuitOpen,

    /// <summary>An attempt that another one has beaten does not end when it is cancelled.</summary>
    LosersNeverEnd,
}
