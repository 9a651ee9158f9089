namespace Resilience.Testing;

/// <summary>Durations, counted in classes a tenth wide: quantiles are exact to 10 %.</summary>
public sealed class LatencyHistogram
{
    private const double Width = 1.1;
    private static readonly double LogOfWidth = Math.Log(Width);
    private long[] _classes = [];

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
        for (int name = 0; name < _classes.Length; name++)
        {
            seen += _classes[name];
            if (seen >= wanted) return new TimeSpan(Math.Min(Max.Ticks, (long)Math.Pow(Width, name)));
        }

        return TimeSpan.Zero;
    }

    internal void Add(TimeSpan duration)
    {
        int name = duration.Ticks <= 1 ? 0 : (int)Math.Ceiling(Math.Log(duration.Ticks) / LogOfWidth);
        Reserve(name + 1);
        _classes[name]++;
        Count++;
        if (duration > Max) Max = duration;
    }

    internal void Add(LatencyHistogram other)
    {
        Reserve(other._classes.Length);
        for (int name = 0; name < other._classes.Length; name++) _classes[name] += other._classes[name];
        Count += other.Count;
        if (other.Max > Max) Max = other.Max;
    }

    private void Reserve(int classes)
    {
        if (classes > _classes.Length) Array.Resize(ref _classes, Math.Max(classes, _classes.Length + 16));
    }
}
