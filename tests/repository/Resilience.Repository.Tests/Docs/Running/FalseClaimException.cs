namespace Resilience.Tests.Docs.Running;

/// <summary>A block does not do what its mark says.</summary>
public sealed class FalseClaimException(string claim) : Exception($"It is not true that {claim}");
