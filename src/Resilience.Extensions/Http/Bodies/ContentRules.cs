namespace Resilience.Http;

/// <summary>What is believed of a content: whether it can be sent again, and whether what was written is all of it.</summary>
internal abstract class ContentRules
{
    /// <summary>What is known of a content before it is sent.</summary>
    internal virtual ContentKind KindOf(HttpContent content, ref List<RewindableStream>? streams) => ContentKinds.Of(content, ref streams);

    /// <summary>Whether what a sending wrote is the body. A later sending of a source gives what is left of it.</summary>
    internal virtual bool IsFirst(int sending) => sending == 1;

    /// <summary>Whether what was written is all. A content may end politely in the middle when it is stopped or cannot write.</summary>
    internal virtual bool IsWhole(bool wasStopped, bool hasFailed, long? promised, int count) =>
        !wasStopped && !hasFailed && (promised is null || promised == count);
}
