namespace Resilience.Testing;

/// <summary>One interval of a simulated run.</summary>
public sealed class SimulationInterval
{
    internal SimulationInterval(TimeSpan start) => Start = start;

    /// <summary>When it began, in virtual time.</summary>
    public TimeSpan Start { get; }

    /// <summary>Calls that were begun.</summary>
    public long Started { get; internal set; }

    /// <summary>Calls that ended well: the goodput.</summary>
    public long Succeeded { get; internal set; }

    /// <summary>Calls that ended with an error.</summary>
    public long Failed { get; internal set; }

    /// <summary>Calls that a policy rejected.</summary>
    public long Rejected { get; internal set; }

    /// <summary>Requests that reached a dependency: the load.</summary>
    public long Attempts { get; internal set; }

    /// <summary>Requests that a dependency finished in it in vain: their callers had given up before.</summary>
    public long Abandoned { get; internal set; }

    /// <summary>The most requests that waited at once for their turn at any one dependency.</summary>
    public int MaxWaiting { get; internal set; }

    /// <summary>The most calls that were under way at once.</summary>
    public int MaxInFlight { get; internal set; }

    /// <summary>How long the calls took that ended well in it.</summary>
    public LatencyHistogram Latencies { get; } = new();
}

/// <summary>Durations, counted in classes a tenth wide: quantiles are exact to 10 %.</summary>
public sealed class LatencyHistogram
{
    private const double Width = 1.1;
    private readonly SortedDictionary<int, long> _classes = [];

    internal LatencyHistogram()
    {
    }

    /// <summary>How many were counted.</summary>
    public long Count { get; private set; }

    /// <summary>The longest, exactly.</summary>
    public TimeSpan Max { get; private set; }

    /// <summary>The duration that the given share of all did not exceed; zero when nothing was counted.</summary>
    /// <param name="share">0 to 1: 0.5 is the median.</param>
    public TimeSpan Quantile(double share)
    {
        if (share is not (>= 0 and <= 1)) throw new ArgumentOutOfRangeException(nameof(share), share, "A share is 0 to 1.");
        long wanted = Math.Max(1, (long)Math.Ceiling(share * Count)), seen = 0;
        foreach ((int name, long count) in _classes)
        {
            seen += count;
            if (seen >= wanted) return new TimeSpan(Math.Min(Max.Ticks, (long)Math.Pow(Width, name)));
        }

        return TimeSpan.Zero;
    }

    internal void Add(TimeSpan duration)
    {
        int name = duration.Ticks <= 1 ? 0 : (int)Math.Ceiling(Math.Log(duration.Ticks) / Math.Log(Width));
        _classes[name] = _classes.GetValueOrDefault(name) + 1;
        Count++;
        if (duration > Max) Max = duration;
    }

    internal void Add(LatencyHistogram other)
    {
        foreach ((int name, long count) in other._classes) _classes[name] = _classes.GetValueOrDefault(name) + count;
        Count += other.Count;
        if (other.Max > Max) Max = other.Max;
    }
}

/// <summary>What the report is made of, while it is being written.</summary>
internal sealed class Timeline
{
    internal List<SimulationInterval> Intervals { get; } = [];

    internal Dictionary<string, long> Outcomes { get; } = [];

    internal LatencyHistogram Latencies { get; } = new();

    internal List<(TimeSpan At, CircuitChanged Change)> Changes { get; } = [];

    internal SimulationInterval At(TimeSpan now, TimeSpan interval)
    {
        int index = (int)(now / interval);
        while (Intervals.Count <= index) Intervals.Add(new(interval * Intervals.Count));
        return Intervals[index];
    }
}
