namespace Resilience.Testing;

/// <summary>A law does not hold.</summary>
public sealed class ContractViolationException : Exception
{
    /// <summary>Creates the exception.</summary>
    public ContractViolationException(string message)
        : base(message)
    {
    }
}
