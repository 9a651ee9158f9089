namespace Resilience.Extensibility;

/// <summary>A number that a policy shows.</summary>
/// <param name="Name">What it is, in lower case: "running".</param>
/// <param name="Value">How much; finite.</param>
/// <param name="Unit">Of what: "calls", "ms". Default null: it goes without saying.</param>
public sealed record PolicyReading(string Name, double Value, string? Unit = null)
{
    /// <summary>How much it can be or is at rest, from which a share is shown. Default null: there is no such bound.</summary>
    public double? Max { get; init; }
}
