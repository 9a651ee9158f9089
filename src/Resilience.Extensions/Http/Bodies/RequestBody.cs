namespace Resilience.Http;

/// <summary>What the attempts of a call have in common of the caller's content: whether and how it can be sent more than once.</summary>
internal abstract class RequestBody
{
    private static readonly RequestBody Memory = new MemoryBody(null);

    /// <summary>True when each sending from now on gives the same bytes as the first.</summary>
    internal abstract bool IsReplayable { get; }

    /// <summary>True when several attempts can send it at the same time.</summary>
    internal abstract bool IsShareable { get; }

    /// <param name="content">The caller's content, or what was made of it.</param>
    /// <param name="isCallers">Whether it is the caller's own.</param>
    /// <param name="rules">What is believed of it.</param>
    /// <param name="isPromised">Whether the caller says that it gives the same bytes each time.</param>
    /// <param name="max">How many bytes are kept of what a content writes that could not be sent again; 0: none.</param>
    internal static RequestBody Of(HttpContent content, bool isCallers, ContentRules rules, bool isPromised, int max)
    {
        List<RewindableStream>? streams = null;
        return rules.KindOf(content, ref streams) switch
        {
            ContentKind.InMemory => isCallers ? Memory : new MemoryBody(content),
            ContentKind.Rewindable => new SourceBody(content, rules, isPromised, streams, max),
            _ => new SourceBody(content, rules, isPromised, null, max),
        };
    }

    /// <summary>The content of one attempt.</summary>
    /// <param name="content">The caller's content.</param>
    /// <param name="callers">The caller's token, which outlives the attempt.</param>
    /// <param name="attempt">The token of the attempt.</param>
    internal abstract AttemptContent ForAttempt(HttpContent content, CancellationToken callers, CancellationToken attempt);

    /// <summary>Calls back once, when the body has become replayable and shareable while an attempt sends it; not if it is so already.</summary>
    internal virtual void Watch(ResilienceContext attempt)
    {
    }

    /// <summary>The attempt has ended: it is not called back any more.</summary>
    internal virtual void Unwatch()
    {
    }

    /// <summary>What is in memory: one for all, because there is nothing to remember.</summary>
    /// <param name="loaded">What was made of the caller's content; null: that itself.</param>
    private sealed class MemoryBody(HttpContent? loaded) : RequestBody
    {
        internal override bool IsReplayable => true;

        internal override bool IsShareable => true;

        internal override AttemptContent ForAttempt(HttpContent content, CancellationToken callers, CancellationToken attempt) =>
            new MemoryContent(loaded ?? content, callers);
    }
}
