namespace Resilience;

/// <summary>What states of circuits are called: for people, and in tags.</summary>
internal static class CircuitNames
{
    internal static string Of(CircuitState state) => state switch
    {
        CircuitState.Closed => "closed",
        CircuitState.Open => "open",
        CircuitState.HalfOpen => "half-open",
        _ => "isolated",
    };

    internal static string OfTag(CircuitState state) => state == CircuitState.HalfOpen ? "half_open" : Of(state);
}
