using System.Globalization;

namespace Resilience;

/// <summary>Spans of time as people read them.</summary>
internal static class TimeText
{
    /// <summary>"200 ms", "5 s", "unlimited".</summary>
    internal static string Of(TimeSpan span) => span == System.Threading.Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue
        ? "unlimited"
        : span.TotalSeconds < 1 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.###} ms")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.###} s");
}
