namespace Resilience;

/// <summary>The result of delegates that have none.</summary>
internal readonly struct Nothing;
