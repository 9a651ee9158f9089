using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>Calls of all classes, and of each.</summary>
internal sealed class ClassCounts
{
    private readonly CallCounts?[] _classes = new CallCounts?[(int)Criticality.CriticalPlus + 1];

    internal CallCounts All { get; } = new();

    internal CallCounts Of(Criticality criticality)
    {
        if ((uint)criticality >= (uint)_classes.Length)
            throw new ArgumentOutOfRangeException(nameof(criticality), criticality, "A defined class of criticality.");
        return _classes[(int)criticality] ??= new();
    }

    internal void Begin(Criticality criticality)
    {
        All.Started++;
        Of(criticality).Started++;
    }

    internal void End(Criticality criticality, TimeSpan latency, Exception? error)
    {
        All.End(latency, error);
        Of(criticality).End(latency, error);
    }
}
