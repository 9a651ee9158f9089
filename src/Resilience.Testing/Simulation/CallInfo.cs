using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>What a simulated service is told of a request. Immutable.</summary>
public sealed record CallInfo
{
    /// <summary>The class of criticality. Default <see cref="Overload.Criticality.Critical"/>.</summary>
    public Criticality Criticality { get; init; } = Criticality.Critical;

    /// <summary>How long the caller still waits, as a deadline header says it. Default null: not known.</summary>
    public TimeSpan? TimeLeft { get; init; }

    /// <summary>Which attempt of the caller this is: 0 for the first. Default 0.</summary>
    public int Attempt { get; init; }

    /// <summary>Anything that the caller sends along: a user, a mark, a key. Default null.</summary>
    public object? Tag { get; init; }

    /// <summary>Which replica serves the request, from 0. Set on arrival.</summary>
    public int Replica { get; internal init; }

    /// <summary>When the request arrived, in virtual time. Set on arrival.</summary>
    public TimeSpan ArrivedAt { get; internal init; }

    internal static CallInfo Default { get; } = new();
}
