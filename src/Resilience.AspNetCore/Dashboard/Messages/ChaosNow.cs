namespace Resilience;

/// <summary>A switch that injects faults, and can be turned off here.</summary>
internal sealed record ChaosNow(string Id, bool IsOn);
