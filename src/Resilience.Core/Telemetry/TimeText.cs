using System.Globalization;

namespace Resilience;

/// <summary>Spans of time as people read them.</summary>
internal static class TimeText
{
    /// <summary>"200 ms", "90.5 s", "20 min", "5 h", "unlimited". Whole minutes from five on, and whole hours from two on, are said as such.</summary>
    internal static string Of(TimeSpan span) => span == System.Threading.Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue
        ? "unlimited"
        : span.TotalSeconds < 1 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.###} ms")
        : span >= TimeSpan.FromHours(2) && span.Ticks % TimeSpan.TicksPerHour == 0 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalHours:0} h")
        : span >= TimeSpan.FromMinutes(5) && span.Ticks % TimeSpan.TicksPerMinute == 0 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalMinutes:0} min")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.###} s");
}
