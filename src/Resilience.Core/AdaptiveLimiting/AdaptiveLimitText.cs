namespace Resilience;

/// <summary>Latencies in sentences.</summary>
internal static class AdaptiveLimitText
{
    /// <summary>" at a latency of 82 ms against 50 ms unloaded", or nothing while none is known.</summary>
    internal static string Latency(TimeSpan? latency, TimeSpan? baseline) => (latency, baseline) switch
    {
        ({ } seen, { } unloaded) => $" at a latency of {Of(seen)} against {Of(unloaded)} unloaded",
        ({ } seen, null) => $" at a latency of {Of(seen)}",
        _ => "",
    };

    /// <summary>Nothing where nothing is known yet.</summary>
    internal static TimeSpan? Span(double ms) => ms > 0 ? TimeSpan.FromMilliseconds(ms) : null;

    /// <summary>To a hundredth of a millisecond below ten, and to whole ones above.</summary>
    private static string Of(TimeSpan span) =>
        TimeText.Of(TimeSpan.FromMilliseconds(Math.Round(span.TotalMilliseconds, span.TotalMilliseconds < 10 ? 2 : 0)));
}
