namespace Resilience;

/// <summary>Which circuits the health check looks at.</summary>
public sealed class ResilienceHealthOptions
{
    /// <summary>Circuits that do not count, by their names in the data (<c>pipeline/policy</c>, for a client
    /// <c>client/authority/policy</c>); a <c>*</c> at the end stands for anything. Default: none.</summary>
    public ISet<string> Ignored { get; } = new HashSet<string>(StringComparer.Ordinal);

    internal bool Ignores(string circuit) => Ignored.Any(name => name.EndsWith('*')
        ? circuit.StartsWith(name[..^1], StringComparison.Ordinal)
        : string.Equals(circuit, name, StringComparison.Ordinal));
}
