namespace Resilience.Overload;

/// <summary>Rules of a set that are no options. Tests put others in their place, to see what they prevent.</summary>
/// <param name="LeastCostOfFailureMs">A failure counts as at least this slow. Otherwise an endpoint that fails at once wins every comparison, and draws all
/// calls to it.</param>
/// <param name="ComesBackAtOnce">Whether an endpoint comes back with its whole weight, and not by probes.</param>
/// <param name="ComparesLoad">Whether the load decides between two.</param>
internal sealed record EndpointTerms(double LeastCostOfFailureMs = 1000, bool ComesBackAtOnce = false, bool ComparesLoad = true);
