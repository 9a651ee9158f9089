using System.Globalization;

namespace Resilience;

/// <summary>Spans of time as people read them.</summary>
internal static class TimeText
{
    /// <summary>"200 ms", "90.5 s", "20 min", "5 h", "unlimited". Whole minutes from five on, and whole hours from two on, are said as such.</summary>
    internal static string Of(TimeSpan span)
    {
        if (span == System.Threading.Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue) return "unlimited";
        return span switch
        {
            { TotalSeconds: < 1 } => Text($"{span.TotalMilliseconds:0.###} ms"),
            { TotalHours: >= 2 } when span.Ticks % TimeSpan.TicksPerHour == 0 => Text($"{span.TotalHours:0} h"),
            { TotalMinutes: >= 5 } when span.Ticks % TimeSpan.TicksPerMinute == 0 => Text($"{span.TotalMinutes:0} min"),
            _ => Text($"{span.TotalSeconds:0.###} s"),
        };
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
