namespace Resilience.Tests;

/// <summary>What is asked of a clock.</summary>
internal enum TimeUse
{
    Timestamp,
    TimeOfDay,
    TimerMade,
    TimerChanged,
    TimerDisposed,
}
