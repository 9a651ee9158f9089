using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>Reads a content into memory before it is sent, for <see cref="HttpResilienceOptions.BufferRequestBytes"/>.</summary>
internal static class ReadAhead
{
    private const int Smallest = 4096;

    /// <summary>A content with the same bytes: in memory if it fits, otherwise one that begins with what was read.</summary>
    /// <param name="content">The caller's content, which can be sent only once.</param>
    /// <param name="max">The bound, 1 or more.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    internal static async ValueTask<HttpContent> LoadAsync(HttpContent content, int max, CancellationToken cancellationToken)
    {
        if (content.Headers.ContentLength is { } length)
        {
            if (length <= max) await content.LoadIntoBufferAsync(max, cancellationToken).ConfigureAwait(false);
            return content;
        }

        // Only a stream can be asked for a part of it; other contents push all they have, and might have too much.
        if (content is not StreamContent) return content;
        Stream source = await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        (ReadOnlyMemory<byte> begin, bool isAll) = await ReadAsync(source, max, cancellationToken).ConfigureAwait(false);
        HttpContent loaded = isAll ? new ReadOnlyMemoryContent(begin) : new StreamContent(new PrefixedStream(begin, source));
        foreach ((string name, HeaderStringValues values) in content.Headers.NonValidated)
        {
            foreach (string value in values) loaded.Headers.TryAddWithoutValidation(name, value);
        }

        return loaded;
    }

    /// <summary>Reads to the end, or one byte more than the bound. The memory grows with what comes.</summary>
    private static async ValueTask<(ReadOnlyMemory<byte> Bytes, bool IsAll)> ReadAsync(Stream source, int max, CancellationToken cancellationToken)
    {
        byte[] bytes = new byte[(int)Math.Min(Smallest, max + 1L)];
        int count = 0;
        while (count <= max)
        {
            if (count == bytes.Length)
            {
                long room = Math.Min(Math.Min(2L * bytes.Length, max + 1L), Array.MaxLength);
                if (room == count) break;
                Array.Resize(ref bytes, (int)room);
            }

            int read = await source.ReadAsync(bytes.AsMemory(count), cancellationToken).ConfigureAwait(false);
            if (read == 0) return (bytes.AsMemory(0, count), true);
            count += read;
        }

        return (bytes.AsMemory(0, count), false);
    }
}
