namespace Resilience.Testing;

/// <summary>How far calls of a load are apart.</summary>
public enum ArrivalSpacing
{
    /// <summary>At random moments (a Poisson process), as from a large crowd.</summary>
    Random = 0,

    /// <summary>Always the same time apart, as from a generator of load.</summary>
    Even = 1,
}
