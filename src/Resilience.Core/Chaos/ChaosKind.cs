namespace Resilience.Chaos;

/// <summary>What a chaos policy can do to a call.</summary>
public enum ChaosKind
{
    /// <summary>Code of yours runs before the call.</summary>
    Behaviour = 0,

    /// <summary>The call begins late.</summary>
    Latency = 1,

    /// <summary>The call is not made; an exception is its outcome.</summary>
    Fault = 2,

    /// <summary>The call is not made; a value is its outcome.</summary>
    Result = 3,

    /// <summary>The call is made and runs to its end; its result is thrown away and an exception is the outcome.</summary>
    LostReply = 4,
}
