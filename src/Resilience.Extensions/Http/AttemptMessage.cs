namespace Resilience.Http;

/// <summary>The message of one attempt. It remembers what a <see cref="TransportWitness"/> saw of it, so that it can be proved that nothing
/// of it was sent.</summary>
/// <remarks>One reference keeps that, because inner handlers may pass a message several times, also at once and after the attempt has
/// ended: null while nothing has passed, the task of the last pass, or one
/// of the marks below.</remarks>
internal sealed class AttemptMessage(HttpMethod method, Uri? uri) : HttpRequestMessage(method, uri)
{
    private static readonly Task<HttpResponseMessage> UnderWay = NewMark();
    private static readonly Task<HttpResponseMessage> Sent = NewMark(); // stays
    private static readonly Task<HttpResponseMessage> Unsent = NewMark();
    private static readonly Task<HttpResponseMessage> Closed = NewMark(); // stays

    private Task<HttpResponseMessage>? _pass;
    private Uri? _passedTo; // the address with which the last pass began; handlers above the witness may have chosen it

    /// <summary>The message passes to the transport.</summary>
    /// <exception cref="OperationCanceledException">It was proved that nothing was sent, and perhaps another attempt is under way.</exception>
    internal void BeginPass()
    {
        Task<HttpResponseMessage>? seen = Volatile.Read(ref _pass);
        while (true)
        {
            if (seen == Closed) throw new OperationCanceledException("The attempt that this request belongs to has ended.");
            Task<HttpResponseMessage> next = seen is null || IsUnsent(seen) ? UnderWay : Sent;
            Task<HttpResponseMessage>? found = Interlocked.CompareExchange(ref _pass, next, seen);
            if (found == seen) break;
            seen = found;
        }

        _passedTo = RequestUri;
    }

    /// <summary>What the transport returned for the pass.</summary>
    internal void EndPass(Task<HttpResponseMessage> pass) => Interlocked.CompareExchange(ref _pass, pass, UnderWay);

    /// <summary>How a pass ended that was made synchronously.</summary>
    /// <param name="error">What the transport threw; null when it answered.</param>
    internal void EndPass(Exception? error) =>
        Interlocked.CompareExchange(ref _pass, error is not null && HttpClassifier.SaysNoConnection(error) ? Unsent : Sent, UnderWay);

    /// <summary>Whether every pass ended without a connection.</summary>
    internal bool PassedUnsent(out Task<HttpResponseMessage>? pass)
    {
        pass = Volatile.Read(ref _pass);
        return pass is null || IsUnsent(pass);
    }

    /// <summary>Whether the address is the one with which the attempt, or its last pass, began.</summary>
    /// <remarks>A handler that follows a redirect, the transport too, writes another address object into the message, also of an equal address. A
    /// handler that chose the address may have put the former one back, which hides a redirect; then the content must have seen it.</remarks>
    internal bool KeptAddress(Uri? asked, bool isContentOurs, bool hasWitness) => Volatile.Read(ref _pass) is null
        ? hasWitness || ReferenceEquals(RequestUri, asked)
        : ReferenceEquals(RequestUri, _passedTo) || (isContentOurs && ReferenceEquals(RequestUri, asked));

    /// <summary>No more pass begins; false if one has begun since the look.</summary>
    internal bool TryClose(Task<HttpResponseMessage>? pass) => Interlocked.CompareExchange(ref _pass, Closed, pass) == pass;

    private static bool IsUnsent(Task<HttpResponseMessage> pass)
    {
        if (pass == Unsent) return true;
        if (!pass.IsCompleted || pass.IsCompletedSuccessfully) return false;
        try
        {
            pass.GetAwaiter().GetResult(); // throws; the only way to the exception of a task that was cancelled
            return false;
        }
        catch (Exception error)
        {
            return HttpClassifier.SaysNoConnection(error);
        }
    }

    private static Task<HttpResponseMessage> NewMark() => new TaskCompletionSource<HttpResponseMessage>().Task;
}
