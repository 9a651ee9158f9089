using Resilience.Events;
using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>One interval of a simulated run.</summary>
public sealed class SimulationInterval
{
    internal SimulationInterval(TimeSpan start) => Start = start;

    /// <summary>When it began, in virtual time.</summary>
    public TimeSpan Start { get; }

    /// <summary>Calls that were begun.</summary>
    public long Started => Calls.All.Started;

    /// <summary>Calls that ended well: the goodput.</summary>
    public long Succeeded => Calls.All.Succeeded;

    /// <summary>Calls that ended with an error.</summary>
    public long Failed => Calls.All.Failed;

    /// <summary>Calls that a policy rejected.</summary>
    public long Rejected => Calls.All.Rejected;

    /// <summary>Requests that reached a dependency: the load.</summary>
    public long Attempts { get; internal set; }

    /// <summary>Requests that a dependency finished in it although their callers had given up before.</summary>
    public long Abandoned { get; internal set; }

    /// <summary>The most requests that waited at once for their turn at any one dependency.</summary>
    public int MaxWaiting { get; internal set; }

    /// <summary>The most calls that were under way at once.</summary>
    public int MaxInFlight { get; internal set; }

    /// <summary>How long the calls took that ended well in it.</summary>
    public LatencyHistogram Latencies => Calls.All.Latencies;

    internal ClassCounts Calls { get; } = new();

    /// <summary>Calls of one class of criticality.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public CallCounts CallsOf(Criticality criticality) => Calls.Of(criticality);
}

/// <summary>What the report is made of, while it is being written.</summary>
internal sealed class Timeline
{
    internal List<SimulationInterval> Intervals { get; } = [];

    internal Dictionary<string, long> Outcomes { get; } = [];

    internal ClassCounts Total { get; } = new();

    internal List<(TimeSpan At, CircuitChanged Change)> Changes { get; } = [];

    internal SimulationInterval At(TimeSpan now, TimeSpan interval)
    {
        int index = (int)(now / interval);
        while (Intervals.Count <= index) Intervals.Add(new(interval * Intervals.Count));
        return Intervals[index];
    }
}
