namespace Resilience.Http;

/// <summary>What is believed of an attempt and of its content. Tests put rules in its place that believe too much, and must find them.</summary>
internal abstract class SendRules : ContentRules
{
    internal static SendRules Default { get; } = new Strict();

    /// <summary>Whether it was seen that nothing of the attempt was sent; then nothing of it will be. When in doubt it was sent.</summary>
    /// <remarks>
    /// The type of the error is the least of it. No sending of the content has begun (a request without content has an empty one of ours,
    /// where the method may be unsafe), so no server has got it; what passed the witness above the transport, if there is one, ended
    /// without a connection; and the address is the one that was asked. A server that is asked by headers alone, before the content
    /// (<c>Expect: 100-continue</c>), may have acted on them.
    /// A transport that is not the framework's may send an empty content without asking it for its bytes.
    /// And where handlers that are not ours stand in between, the attempt must have reached the
    /// witness: what such a handler does that does not pass it on, perhaps with another client, cannot be seen.
    /// </remarks>
    /// <param name="message">The attempt.</param>
    /// <param name="content">The content that it was given; null: nothing can be proved.</param>
    /// <param name="asked">The address that it was given.</param>
    /// <param name="witness">What stands above the transport; null if there is none.</param>
    /// <param name="strangers">How many strangers had passed the witness when the attempt began.</param>
    /// <param name="hasOthers">Whether handlers that are not ours stand between the attempt and the transport.</param>
    /// <param name="error">What the attempt ended with.</param>
    /// <param name="knowsTransport">Whether the transport is the framework's.</param>
    internal bool ProveUnsent(
        AttemptMessage message,
        WatchedContent? content,
        Uri? asked,
        TransportWitness? witness,
        int strangers,
        bool hasOthers,
        Exception error,
        bool knowsTransport)
    {
        if (content is null || !HttpClassifier.SaysNoConnection(error) || message.Headers.ExpectContinue == true) return false;
        bool isContentOurs = ReferenceEquals(message.Content, content), hasWitness = witness is not null;
        return (isContentOurs || hasWitness) // it was not seen what became of a content that an inner handler put in the place of ours
            && IsAskedForItsBytes(content, knowsTransport)
            && IsUnbegun(content)
            && HadNoStrangers(witness, strangers)
            && PassedUnsent(message, out Task<HttpResponseMessage>? pass)
            && WasSeen(pass, hasOthers)
            && KeptAddress(message, asked, isContentOurs, hasWitness)
            && message.TryClose(pass);
    }

    /// <summary>Whether the content cannot be sent unseen: there are bytes that only it has, or the transport asks also one that has none.</summary>
    protected virtual bool IsAskedForItsBytes(WatchedContent content, bool knowsTransport) =>
        knowsTransport || content.Headers.ContentLength is null or > 0;

    protected virtual bool IsUnbegun(WatchedContent content) => content.TryCloseUnbegun();

    protected virtual bool HadNoStrangers(TransportWitness? witness, int before) => witness is null || witness.Strangers == before;

    protected virtual bool PassedUnsent(AttemptMessage message, out Task<HttpResponseMessage>? pass) => message.PassedUnsent(out pass);

    protected virtual bool WasSeen(Task<HttpResponseMessage>? pass, bool hasOthers) => pass is not null || !hasOthers;

    protected virtual bool KeptAddress(AttemptMessage message, Uri? asked, bool isContentOurs, bool hasWitness) =>
        message.KeptAddress(asked, isContentOurs, hasWitness);

    private sealed class Strict : SendRules;
}
