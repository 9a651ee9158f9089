using System.Net;

namespace Resilience;

/// <summary>The body of one attempt: sends the caller's content without owning it, and knows whether that has begun and ended.</summary>
/// <remarks>
/// An attempt that was given up may still be reading the content; the next one must not begin before it has stopped, and the former must
/// not begin late. One word keeps that: how many sendings are under way, and whether the attempt is closed.
/// </remarks>
internal sealed class AttemptContent : HttpContent
{
    private const int Closed = int.MinValue; // in the highest bit; the others count

    private readonly HttpContent _original;
    private readonly CancellationTokenSource? _ownStop; // stops the reading of a source that nobody wants any more
    private readonly CancellationToken _callers;
    private readonly CancellationToken _attempt;
    private TaskCompletionSource? _drained;
    private int _word;
    private volatile bool _hasBegun;
    private volatile bool _isOver;

    /// <param name="original">The caller's content; never disposed of here.</param>
    /// <param name="readsSource">Whether sending reads from something that may block, rather than from memory.</param>
    /// <param name="callers">The caller's token, which outlives the attempt.</param>
    /// <param name="attempt">The token of the attempt.</param>
    internal AttemptContent(HttpContent original, bool readsSource, CancellationToken callers, CancellationToken attempt)
    {
        _original = original;
        _callers = callers;
        _attempt = attempt;
        if (readsSource) _ownStop = new();
        foreach ((string name, System.Net.Http.Headers.HeaderStringValues values) in original.Headers.NonValidated)
        {
            foreach (string value in values) Headers.TryAddWithoutValidation(name, value);
        }
    }

    /// <summary>True once a sending has begun: a source that can be read only once is used up.</summary>
    internal bool HasBegun => _hasBegun;

    /// <summary>True once the attempt has ended, for better or worse.</summary>
    internal bool IsOver
    {
        get => _isOver;
        set => _isOver = value;
    }

    /// <summary>Stops the reading of the source when the token says so.</summary>
    /// <remarks>
    /// The token of the attempt belongs to a timeout that serves other calls later, while a body may still be on its way when the answer
    /// has come. So it is listened to only while the attempt lasts, and never handed on. What is in memory needs no token: sending
    /// it ends when the connection below is cut.
    /// </remarks>
    internal CancellationTokenRegistration StopWith(CancellationToken token) => _ownStop is { } stop && token.CanBeCanceled
        ? token.UnsafeRegister(static s => ((CancellationTokenSource)s!).Cancel(), stop)
        : default;

    /// <summary>The attempt failed: no sending begins any more, and the task ends when none is under way.</summary>
    internal Task CloseAsync()
    {
        TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Interlocked.CompareExchange(ref _drained, drained, null) is { } former) return former.Task;

        // The source is in place before the bit: whoever ends last and sees the bit finds it.
        if (Interlocked.Or(ref _word, Closed) == 0) drained.TrySetResult();
        else _ownStop?.Cancel();
        return drained.Task;
    }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Begin();
        try
        {
            using CancellationTokenRegistration byCaller = StopWith(_callers);
            using CancellationTokenRegistration byHandler = cancellationToken == _attempt ? default : StopWith(cancellationToken);
            await _original.CopyToAsync(stream, context, _ownStop?.Token ?? _callers).ConfigureAwait(false);
        }
        finally
        {
            End();
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        Begin();
        try
        {
            using CancellationTokenRegistration byCaller = StopWith(_callers);
            using CancellationTokenRegistration byHandler = cancellationToken == _attempt ? default : StopWith(cancellationToken);
            _original.CopyTo(stream, context, _ownStop?.Token ?? _callers);
        }
        finally
        {
            End();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        long? known = _original.Headers.ContentLength;
        length = known ?? 0;
        return known is not null;
    }

    private void Begin()
    {
        int seen = Volatile.Read(ref _word);
        while (true)
        {
            if (seen < 0) throw new OperationCanceledException("The attempt that this content belongs to has ended.");
            int found = Interlocked.CompareExchange(ref _word, seen + 1, seen);
            if (found == seen) break;
            seen = found;
        }

        _hasBegun = true;
    }

    private void End()
    {
        if (Interlocked.Decrement(ref _word) == Closed) Volatile.Read(ref _drained)!.TrySetResult();
    }
}
