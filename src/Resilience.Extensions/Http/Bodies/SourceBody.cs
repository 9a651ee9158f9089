namespace Resilience.Http;

/// <summary>A content whose bytes come from somewhere: a stream, or code that writes them.</summary>
internal sealed class SourceBody : RequestBody
{
    private readonly ContentRules _rules;
    private readonly bool _isPromised;
    private readonly List<RewindableStream>? _streams; // of a content that rewinds them
    private readonly int _max;
    private readonly Lock _gate = new(); // between the end of the sending and that of the attempt
    private int _sendings;
    private ResilienceContext? _watching;
    private volatile KeptBytes? _kept;

    internal SourceBody(HttpContent content, ContentRules rules, bool isPromised, List<RewindableStream>? streams, int max)
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
