using System.Net;
using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>The body of one attempt: sends the caller's content without owning it.</summary>
/// <remarks>An attempt that was given up may still be sending the content; the next one must not begin before it has stopped, and the former
/// must not begin late.</remarks>
internal abstract class AttemptContent : WatchedContent
{
    private readonly HttpContent _original;
    private readonly CancellationToken _callers;
    private TaskCompletionSource? _drained;

    /// <param name="original">The caller's content; never disposed of here.</param>
    /// <param name="callers">The caller's token, which outlives the attempt.</param>
    private protected AttemptContent(HttpContent original, CancellationToken callers)
    {
        _original = original;
        _callers = callers;
        foreach ((string name, HeaderStringValues values) in original.Headers.NonValidated)
        {
            foreach (string value in values) Headers.TryAddWithoutValidation(name, value);
        }
    }

    protected HttpContent Original => _original;

    protected CancellationToken Callers => _callers;

    /// <summary>Stops the reading of the source when the token says so.</summary>
    /// <remarks>
    /// The token of the attempt belongs to a timeout that serves other calls later, while a body may still be on its way when the answer
    /// has come. So it is listened to only while the attempt lasts, and never handed on. What is in memory needs no token: sending
    /// it ends when the connection below is cut.
    /// </remarks>
    internal virtual CancellationTokenRegistration StopWith(CancellationToken token) => default;

    /// <inheritdoc/>
    internal override Task CloseAsync()
    {
        TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _drained, drained, null) is { } former) return former.Task;

        // The source is in place before the bit: the thread that ends last and sees the bit finds it.
        if (Close()) drained.TrySetResult();
        else Stop();
        return drained.Task;
    }

    protected sealed override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Begin();
        try
        {
            await SendAsync(stream, context, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            EndSending();
        }
    }

    protected sealed override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected sealed override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Begin();
        try
        {
            Send(stream, context, cancellationToken);
        }
        finally
        {
            EndSending();
        }
    }

    protected sealed override bool TryComputeLength(out long length)
    {
        long? known = _original.Headers.ContentLength;
        length = known ?? 0;
        return known is not null;
    }

    protected abstract Task SendAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken);

    protected abstract void Send(Stream stream, TransportContext? context, CancellationToken cancellationToken);

    /// <summary>What is being sent is no longer wanted.</summary>
    protected virtual void Stop()
    {
    }

    private void EndSending()
    {
        if (End()) Volatile.Read(ref _drained)!.TrySetResult();
    }
}

/// <summary>The body of one attempt whose bytes are in memory.</summary>
internal sealed class MemoryContent(HttpContent original, CancellationToken callers) : AttemptContent(original, callers)
{
    protected override Task SendAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        Original.CopyToAsync(stream, context, Callers);

    protected override void Send(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        Original.CopyTo(stream, context, Callers);
}
