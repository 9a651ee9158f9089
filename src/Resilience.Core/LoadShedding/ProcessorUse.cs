namespace Resilience;

/// <summary>Which share of its processors the process has used since it was asked last.</summary>
/// <remarks>By one thread at a time.</remarks>
internal sealed class ProcessorUse(ProcessReadings readings, Clock clock)
{
    private TimeSpan _used = readings.ProcessorTime;
    private long _at = clock.Timestamp;

    /// <summary>NaN while no time has passed.</summary>
    internal double Read()
    {
        TimeSpan passed = clock.ElapsedSince(_at);
        if (passed <= TimeSpan.Zero) return double.NaN;
        (TimeSpan former, _used, _at) = (_used, readings.ProcessorTime, clock.Timestamp);
        return (_used - former) / (passed * Math.Max(1, readings.Processors));
    }
}
