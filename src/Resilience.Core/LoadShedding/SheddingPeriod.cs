namespace Resilience;

/// <summary>The time from the first rejection to ten seconds after the last. Ten times a second and at rejections, under a short lock.</summary>
internal sealed class SheddingPeriod
{
    internal const long RestMs = 10_000;

    private readonly Lock _gate = new();
    private long _beganMs;
    private long _lastMs;
    private long _rejected; // 0: none lasts

    /// <summary>True for the first.</summary>
    internal bool Reject(long nowMs)
    {
        lock (_gate)
        {
            _lastMs = nowMs;
            if (_rejected++ > 0) return false;
            _beganMs = nowMs;
            return true;
        }
    }

    /// <summary>When one has ended: how many were rejected in it, and how long it lasted.</summary>
    internal (long Rejected, TimeSpan Lasted)? End(long nowMs)
    {
        lock (_gate)
        {
            if (_rejected == 0 || nowMs - _lastMs < RestMs) return null;
            (long rejected, _rejected) = (_rejected, 0);
            return (rejected, TimeSpan.FromMilliseconds(_lastMs - _beganMs));
        }
    }
}
