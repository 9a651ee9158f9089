namespace Resilience.Extensibility;

/// <summary>One option that is out of range.</summary>
/// <param name="Policy">The name of the policy.</param>
/// <param name="Option">The name of the option.</param>
/// <param name="Value">The value given, as text.</param>
/// <param name="Allowed">What is allowed, as text.</param>
public sealed record OptionProblem(string Policy, string Option, string Value, string Allowed)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Policy}: {Option} is {Value}, but must be {Allowed}";
}
