using System.Diagnostics;

namespace Resilience;

/// <summary>What policies write on the current span. Ask <see cref="Find"/> first, and make nothing when there is none.</summary>
/// <remarks>The span may be of any origin: without a listener of ours it is the one around the call, of a web server, say. A span that is not
/// sampled asks for no data and costs nothing.</remarks>
internal static class SpanEvents
{
    internal const string Rejected = "resilience.rejected";

    /// <summary>The current span if it wants to know; null otherwise.</summary>
    internal static Activity? Find() => Activity.Current is { IsAllDataRequested: true } span ? span : null;

    /// <summary>Writes an event on a span. What goes wrong is counted and swallowed.</summary>
    internal static void Add(Activity? span, string name, ActivityTagsCollection? tags)
    {
        try
        {
            span?.AddEvent(new(name, tags: tags));
        }
        catch (Exception error)
        {
            Safely.Report(Span.Listener, error);
        }
    }

    /// <summary>The same with the values of an event.</summary>
    internal static void Add(Activity span, string name, in TagList values)
    {
        ActivityTagsCollection tags = [];
        foreach ((string key, object? value) in values) tags[key] = value;
        Add(span, name, tags);
    }
}
