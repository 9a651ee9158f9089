namespace Resilience;

/// <summary>What happened in a window.</summary>
/// <param name="NowMs">When it ended, in milliseconds since the limit was made.</param>
/// <param name="ElapsedMs">How long it was.</param>
/// <param name="Samples">Calls of this epoch that succeeded, of which latencies are known.</param>
/// <param name="MedianMs">The median of these latencies; 0 without samples.</param>
/// <param name="PeakRunning">The most calls that ran at once.</param>
/// <param name="Rejected">Calls that found no place.</param>
/// <param name="Overloads">Calls of this epoch that ended with a sign of overload.</param>
/// <param name="Slow">Samples that took longer than the target.</param>
internal readonly record struct LimitWindow(
    double NowMs, double ElapsedMs, long Samples, double MedianMs, int PeakRunning, long Rejected, long Overloads = 0, long Slow = 0)
{
    /// <summary>Calls that say something.</summary>
    internal long Answers => Samples + Overloads;

    internal double OverloadShare => Answers == 0 ? 0 : (double)Overloads / Answers;

    internal double SlowShare => Answers == 0 ? 0 : (double)Slow / Answers;

    /// <summary>More could have run if more had been let in.</summary>
    internal bool IsBound(double limit) => Rejected > 0 || PeakRunning >= 0.8 * limit;
}
