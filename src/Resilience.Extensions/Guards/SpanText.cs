using Resilience.Events;

namespace Resilience;

/// <summary>Spans of time as they are written in every text of the library: by the core, which writes those of events.</summary>
internal static class SpanText
{
    /// <summary>"250 ms", "30 s", "5 min".</summary>
    internal static string Of(TimeSpan span) => ((EventMessage)$"{span}").ToString();
}
