namespace Resilience.Testing;

/// <summary>What the check of a store found.</summary>
/// <param name="Passed">The names of the laws that hold.</param>
/// <param name="Failed">The laws that do not, each with what was found.</param>
public sealed record ContractReport(IReadOnlyList<string> Passed, IReadOnlyList<KeyValuePair<string, Exception>> Failed)
{
    /// <summary>True when every law holds.</summary>
    public bool IsKept => Failed.Count == 0;

    /// <inheritdoc/>
    public override string ToString() => IsKept
        ? $"All {Passed.Count} laws hold."
        : $"{Failed.Count} of {Passed.Count + Failed.Count} laws do not hold:"
            + string.Concat(Failed.Select(f => $"{Environment.NewLine}  {f.Key}: {f.Value.Message}"));
}
