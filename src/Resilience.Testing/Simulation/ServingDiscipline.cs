namespace Resilience.Testing;

/// <summary>What becomes of requests that are more than a simulated dependency serves at full speed.</summary>
public enum ServingDiscipline
{
    /// <summary>They wait, and are served in the order of their arrival: a pool of workers or connections.</summary>
    InTurn = 0,

    /// <summary>All are served at once, and share the capacity evenly, so each takes longer: a processor with many threads. Nothing waits.</summary>
    SharedProcessor = 1,
}
