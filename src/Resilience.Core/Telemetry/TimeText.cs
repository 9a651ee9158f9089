using System.Globalization;

namespace Resilience;

/// <summary>Spans of time as people read them.</summary>
internal static class TimeText
{
    /// <summary>"200 ms", "90.5 s", "20 min", "62 min 5 s", "5 h", "9 d", "unlimited": a unit from two of it on, and what is left in the smaller ones. Seconds
    /// have three decimals, and none from two minutes on.</summary>
    internal static string Of(TimeSpan span)
    {
        if (span == System.Threading.Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue) return "unlimited";
        if (span < TimeSpan.Zero) return "-" + Of(TimeSpan.FromTicks(-Math.Max(span.Ticks, -TimeSpan.MaxValue.Ticks + 1)));
        if (span.TotalSeconds < 1) return Text($"{span.TotalMilliseconds:0.####} ms");
        if (span.TotalMinutes < 2) return Text($"{span.TotalSeconds:0.###} s");
        int days = span.TotalDays < 2 ? 0 : span.Days, hours = span.TotalHours < 2 ? 0 : (int)(span.TotalHours - (24 * days));
        double minutes = Math.Floor(span.TotalMinutes - (60 * hours) - (1440.0 * days));
        long seconds = span.Ticks % TimeSpan.TicksPerMinute / TimeSpan.TicksPerSecond;
        return string.Join(" ", new[]
        {
            days > 0 ? Text($"{days} d") : "", hours > 0 ? Text($"{hours} h") : "", minutes > 0 ? Text($"{minutes} min") : "",
            seconds > 0 ? Text($"{seconds} s") : "",
        }.Where(part => part.Length > 0));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
