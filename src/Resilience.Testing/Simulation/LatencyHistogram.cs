namespace Resilience.Testing;

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
