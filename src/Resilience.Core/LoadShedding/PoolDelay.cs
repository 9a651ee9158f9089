namespace Resilience;

/// <summary>How long work waits for a thread of the pool, in milliseconds: each reading sends the next piece of work.</summary>
/// <remarks>Zhou et al., "Overload control for scaling WeChat microservices" (SoCC 2018): the time in the queue shows overload, whatever the work itself
/// takes.</remarks>
internal sealed class PoolDelay(ProcessReadings readings, Clock clock) : IThreadPoolWorkItem
{
    private const long NotSent = long.MinValue;

    private readonly Lock _gate = new(); // ten times a second
    private long _sentAt = NotSent;
    private double _lastMs;

    /// <summary>That of the last piece of work, or of the one that still waits where it has waited longer.</summary>
    internal double Read()
    {
        lock (_gate)
        {
            if (_sentAt != NotSent) return Math.Max(_lastMs, clock.ElapsedSince(_sentAt).TotalMilliseconds);
            _sentAt = clock.Timestamp;
        }

        readings.Queue(this);
        lock (_gate) return _lastMs;
    }

    void IThreadPoolWorkItem.Execute()
    {
        lock (_gate)
        {
            _lastMs = clock.ElapsedSince(_sentAt).TotalMilliseconds;
            _sentAt = NotSent;
        }
    }
}
