namespace Resilience.Experiments;

/// <summary>folly's controlled delay, for comparison: overloaded when even the least wait of an interval was long; then what waited twice as long is not
/// served.</summary>
internal sealed class ControlledDelay(double targetMs = 5, double intervalMs = 100)
{
    private double _least = double.NaN, _intervalEnd;
    private bool _isOverloaded;

    /// <summary>Whether a call that has waited so long is rejected.</summary>
    internal bool Rejects(double nowMs, double waitedMs)
    {
        if (nowMs >= _intervalEnd)
        {
            _isOverloaded = _least > targetMs;
            (_least, _intervalEnd) = (waitedMs, nowMs + intervalMs);
            return false; // the first of an interval says something of it, so it is always served
        }

        _least = Math.Min(_least, waitedMs);
        return _isOverloaded && waitedMs > 2 * targetMs;
    }
}
