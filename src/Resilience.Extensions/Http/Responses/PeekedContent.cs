using System.Net;
using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>A body of which the beginning has been read, and which begins with it all the same.</summary>
internal sealed class PeekedContent : HttpContent
{
    private readonly HttpContent _original;
    private readonly Stream _rest;

    internal PeekedContent(HttpContent original, ReadOnlyMemory<byte> begin, Stream rest)
    {
        _original = original;
        _rest = rest;
        Begin = begin;
        foreach ((string name, HeaderStringValues values) in original.Headers.NonValidated)
        {
            foreach (string value in values) Headers.TryAddWithoutValidation(name, value);
        }
    }

    /// <summary>What has been read.</summary>
    internal ReadOnlyMemory<byte> Begin { get; private set; }

    /// <summary>Reads on until so many bytes are known, or the body is over.</summary>
    internal async ValueTask ReadToAsync(int max, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[max];
        Begin.CopyTo(bytes);
        int count = Begin.Length;
        while (count < max && await ReadRestAsync(bytes.AsMemory(count), cancellationToken).ConfigureAwait(false) is > 0 and var read)
        {
            count += read;
            Begin = bytes.AsMemory(0, count); // a read that is cut off later loses nothing
        }
    }

    private ValueTask<int> ReadRestAsync(Memory<byte> buffer, CancellationToken cancellationToken) => _rest is IdleReadContent.IdleReadStream bounded
        ? bounded.PeekAsync(buffer, cancellationToken) // the places of limits stay taken: the caller has not begun to read
        : _rest.ReadAsync(buffer, cancellationToken);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await using PrefixedStream body = new(Begin, _rest);
        await body.CopyToAsync(stream, 81920, cancellationToken).ConfigureAwait(false);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        SerializeToStreamAsync(stream, context, cancellationToken).GetAwaiter().GetResult();

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(new PrefixedStream(Begin, _rest));

    protected override Stream CreateContentReadStream(CancellationToken cancellationToken) => new PrefixedStream(Begin, _rest);

    protected override bool TryComputeLength(out long length)
    {
        long? known = _original.Headers.ContentLength;
        length = known ?? 0;
        return known is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _original.Dispose();
        base.Dispose(disposing);
    }
}
