namespace Resilience.Testing;

/// <summary>What became of the requests of one class at a simulated dependency.</summary>
/// <param name="Arrivals">Requests that have arrived.</param>
/// <param name="Operations">Requests whose operation was done, whether or not the reply was received.</param>
/// <param name="Overflowed">Requests that failed at once, because more waited than may.</param>
/// <param name="Cancelled">Requests that ended, nothing done, when their callers gave up (<see cref="DependencyBehaviour.HonorsCancellation"/>).</param>
/// <param name="Abandoned">Requests that were served although their callers had given up.</param>
public readonly record struct RequestCounts(long Arrivals, long Operations, long Overflowed, long Cancelled, long Abandoned)
{
    internal RequestCounts Plus(RequestCounts other) => new(
        Arrivals + other.Arrivals, Operations + other.Operations, Overflowed + other.Overflowed, Cancelled + other.Cancelled, Abandoned + other.Abandoned);
}
