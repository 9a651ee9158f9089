namespace Resilience.Experiments;

/// <summary>How a call ended, as its gate is told.</summary>
internal enum CallEnd
{
    Success,

    /// <summary>The other side said that it is overloaded, or did not answer in time.</summary>
    Overload,
}

/// <summary>Lets calls in or not: a limit under experiment.</summary>
internal abstract class Gate
{
    /// <summary>What the gate answers to. Set by the experiment.</summary>
    internal IGateOwner Owner { get; set; } = null!;

    /// <summary>The limit, for the series.</summary>
    internal abstract double Limit { get; }

    /// <summary>Answers with <see cref="IGateOwner.Begin"/> or <see cref="IGateOwner.Reject"/>, at once or later.</summary>
    internal abstract void Enter(Call call);

    internal abstract void Leave(Call call, CallEnd end);
}

/// <summary>Is told by a gate what becomes of a call.</summary>
internal interface IGateOwner
{
    void Begin(Call call);

    void Reject(Call call);
}
