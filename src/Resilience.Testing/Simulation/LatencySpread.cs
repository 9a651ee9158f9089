namespace Resilience.Testing;

/// <summary>How the time that a simulated dependency takes is spread around its mean.</summary>
public enum LatencySpread
{
    /// <summary>Always the mean.</summary>
    Fixed = 0,

    /// <summary>Evenly between nothing and twice the mean.</summary>
    Uniform = 1,

    /// <summary>Exponentially, as service times often are: mostly short, sometimes many times the mean.</summary>
    Exponential = 2,

    /// <summary>One of two times: most take <see cref="DependencyBehaviour.Latency"/>, some (<see cref="DependencyBehaviour.SlowShare"/>) take
    /// <see cref="DependencyBehaviour.SlowLatency"/>, as with a cache.</summary>
    Bimodal = 3,
}
