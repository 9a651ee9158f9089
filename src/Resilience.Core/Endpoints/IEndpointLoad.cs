namespace Resilience.Overload;

/// <summary>Another measure of load than the library's, for the choice between two endpoints: what the endpoints report, for example.</summary>
public interface IEndpointLoad
{
    /// <summary>How loaded it is; of two the lower is chosen. Called for each call from all threads, so it must be fast. What throws, or is not a number,
    /// counts as the measure of the library (<see cref="TargetEndpoint.Load"/>).</summary>
    double LoadOf(TargetEndpoint endpoint);
}
