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
    internal static RequestBody Of(HttpContent content, bool isCallers, SendRules rules, bool isPromised, int max)
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

/// <summary>A content whose bytes come from somewhere: a stream, or code that writes them.</summary>
internal sealed class SourceBody : RequestBody
{
    private readonly SendRules _rules;
    private readonly bool _isPromised;
    private readonly List<RewindableStream>? _streams; // of a content that rewinds them
    private readonly int _max;
    private readonly Lock _gate = new(); // between the end of the sending and that of the attempt
    private int _sendings;
    private ResilienceContext? _watching;
    private volatile KeptBytes? _kept;

    internal SourceBody(HttpContent content, SendRules rules, bool isPromised, List<RewindableStream>? streams, int max)
    {
        Content = content;
        _rules = rules;
        _isPromised = isPromised;
        _streams = streams;
        _max = max;
    }

    /// <summary>The caller's content.</summary>
    internal HttpContent Content { get; }

    /// <summary>All that the first sending wrote, once it has ended within the bound.</summary>
    internal ReadOnlyMemory<byte>? Kept => _kept?.Bytes;

    internal override bool IsReplayable =>
        _isPromised || _kept is not null || (_streams is not null && _streams.TrueForAll(static stream => stream.IsUnchanged));

    internal override bool IsShareable => _kept is not null;

    internal override AttemptContent ForAttempt(HttpContent content, CancellationToken callers, CancellationToken attempt) =>
        new SourceContent(this, callers, attempt);

    /// <summary>A sending of the source itself begins: the first one may be kept. A later one gives what is left, which is not the body.</summary>
    /// <returns>What to write to in place of the stream; null: the stream itself.</returns>
    internal ReplayBuffer? BeginSending(Stream stream)
    {
        int sending = Interlocked.Increment(ref _sendings);
        if (_streams is not null)
        {
            foreach (RewindableStream source in _streams) source.Rewind();
        }

        return _rules.IsFirst(sending) && _max > 0 && !(Content.Headers.ContentLength > _max) ? new(stream, this, _max) : null;
    }

    /// <summary>A sending has ended within the bound.</summary>
    internal void Keep(ReadOnlyMemory<byte> bytes, bool wasStopped, bool hasFailed)
    {
        if (!_rules.IsWhole(wasStopped, hasFailed, Content.Headers.ContentLength, bytes.Length)) return;
        _kept = new(bytes);
        lock (_gate)
        {
            if (_watching is { } attempt) Allow(attempt);
            _watching = null;
        }
    }

    internal override void Watch(ResilienceContext attempt)
    {
        lock (_gate)
        {
            if (_kept is null) _watching = attempt;
            else Allow(attempt);
        }
    }

    internal override void Unwatch()
    {
        lock (_gate) _watching = null;
    }

    private static void Allow(ResilienceContext attempt)
    {
        try
        {
            attempt.AllowRetry();
        }
        catch (ObjectDisposedException)
        {
            // Its call has walked away from it.
        }
    }

    private sealed class KeptBytes(ReadOnlyMemory<byte> bytes)
    {
        internal ReadOnlyMemory<byte> Bytes { get; } = bytes;
    }
}
