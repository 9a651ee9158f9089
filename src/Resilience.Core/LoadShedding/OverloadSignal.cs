namespace Resilience.Overload;

/// <summary>Something that shows how loaded this process is: the depth of a queue, the wait for a connection of a pool.</summary>
/// <param name="Name">A word for telemetry and for rejections, in lower case: "db-pool".</param>
/// <param name="Read">Its value now. Asked ten times a second, by a thread of the pool, one reading at a time; it must be quick. What it throws is counted,
/// and the last value stays.</param>
/// <param name="Range">From which value work is rejected.</param>
public sealed record OverloadSignal(string Name, Func<double> Read, OverloadRange Range)
{
    /// <summary>How much a new value weighs in the mean that is used, more than 0 and at most 1. Default 0.5: three quarters of it are from the last two
    /// readings.</summary>
    public double Smoothing { get; init; } = 0.5;
}
