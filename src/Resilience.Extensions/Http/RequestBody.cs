using System.Net.Http.Json;

namespace Resilience;

/// <summary>Whether and how the caller's content can be sent more than once.</summary>
internal readonly struct RequestBody
{
    private readonly HttpContent? _content;
    private readonly bool _readsSource;

    private RequestBody(HttpContent? content, bool isReplayable, bool readsSource)
    {
        _content = content;
        IsReplayable = isReplayable;
        _readsSource = readsSource;
    }

    /// <summary>True when each sending gives the same bytes; also when there is no content.</summary>
    internal bool IsReplayable { get; }

    /// <summary>True when several attempts can send it at the same time; also when there is no content.</summary>
    internal bool IsShareable => !_readsSource;

    internal static RequestBody None => new(null, true, false);

    internal static RequestBody Of(HttpContent content, HttpRequestOverrides? overrides)
    {
        bool isInMemory = IsInMemory(content);
        return new(content, isInMemory || overrides is { ReplayContent: true } || CanRewind(content), !isInMemory);
    }

    /// <summary>Reads a content that can be sent only once into memory, if it fits.</summary>
    internal static async ValueTask<RequestBody> BufferedAsync(RequestBody body, int most, CancellationToken cancellationToken)
    {
        HttpContent content = body._content!;
        if (content.Headers.ContentLength is { } length)
        {
            if (length > most) return body;
            await content.LoadIntoBufferAsync(most, cancellationToken).ConfigureAwait(false);
            return new(content, true, false);
        }

        // Only a stream can be asked for a part of it; other contents push all they have, and might have too much.
        if (content is not StreamContent) return body;
        Stream source = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        byte[] begin = new byte[most + 1L];
        int read = await source.ReadAtLeastAsync(begin, begin.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        bool isAll = read <= most;
        HttpContent buffered = isAll
            ? new ByteArrayContent(begin, 0, read)
            : new StreamContent(new PrefixedStream(begin.AsMemory(0, read), source));
        foreach ((string name, System.Net.Http.Headers.HeaderStringValues values) in content.Headers.NonValidated)
        {
            foreach (string value in values) buffered.Headers.TryAddWithoutValidation(name, value);
        }

        return new(buffered, isAll, !isAll);
    }

    internal AttemptContent? ForAttempt(CancellationToken callers, CancellationToken attempt) =>
        _content is null ? null : new(_content, _readsSource, callers, attempt);

    private static bool IsInMemory(HttpContent content) => content switch
    {
        ByteArrayContent or ReadOnlyMemoryContent or JsonContent => true, // with their descendants: strings, forms
        MultipartContent parts => parts.All(IsInMemory),
        _ => false,
    };

    private static bool CanRewind(HttpContent content)
    {
        switch (content)
        {
            case StreamContent:
                try
                {
                    return content.ReadAsStream().CanSeek; // a view of the caller's stream: nothing is read
                }
                catch (Exception)
                {
                    return false; // the sending will say what is wrong with it
                }

            case MultipartContent parts:
                return parts.All(part => IsInMemory(part) || CanRewind(part));
            default:
                return false;
        }
    }

    /// <summary>What was read already, then the rest.</summary>
    private sealed class PrefixedStream(ReadOnlyMemory<byte> begin, Stream rest) : Stream
    {
        private ReadOnlyMemory<byte> _begin = begin;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            if (_begin.IsEmpty) return rest.Read(buffer);
            int count = Math.Min(buffer.Length, _begin.Length);
            _begin.Span[..count].CopyTo(buffer);
            _begin = _begin[count..];
            return count;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            _begin.IsEmpty ? rest.ReadAsync(buffer, cancellationToken) : new(Read(buffer.Span));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
