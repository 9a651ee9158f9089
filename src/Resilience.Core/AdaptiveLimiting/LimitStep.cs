namespace Resilience;

/// <summary>What follows from a window.</summary>
internal readonly record struct LimitStep(LimitState State, LimitDecision Decision);
