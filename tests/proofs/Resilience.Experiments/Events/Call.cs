using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>One call of an experiment. Used again when it is over.</summary>
internal sealed class Call
{
    internal int Id { get; init; }

    internal int Client { get; set; }

    internal Criticality Criticality { get; set; }

    internal long ArrivedAt { get; set; }

    /// <summary>When it was let in: its latency begins.</summary>
    internal long BegunAt { get; set; }

    /// <summary>What the gate keeps of it.</summary>
    internal long Mark { get; set; }
}
