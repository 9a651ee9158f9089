using System.Text;

namespace Resilience.Http;

/// <summary>What rules may ask of a response.</summary>
public static class HttpResponseResilienceExtensions
{
    /// <summary>Reads the beginning of the body and puts it back: the caller of the client reads the body from its beginning. For rules that judge by what a
    /// response says (<see cref="OutcomeClassifierExtensions.OnResultAsync{T}"/>).</summary>
    /// <param name="response">The response, whose content may be replaced.</param>
    /// <param name="maxBytes">How much is read at most, 1 byte or more.</param>
    /// <param name="cancellationToken">Ends the reading; give it that of the context.</param>
    /// <returns>The text of at most so many bytes, by the charset of the body or as UTF-8; of a character that is cut off the rest is missing. Empty
    /// where there is no body. Bytes as they came: a body that is compressed is not unpacked.</returns>
    /// <remarks>What the server has not sent yet is waited for. It does not count as the beginning of the reading: a place of a concurrency limit that is
    /// kept for the body stays taken until the caller reads on, or the body has come to its end here. Not thread-safe, and not for connections that were
    /// upgraded.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="response"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxBytes"/> is less than 1.</exception>
    public static async ValueTask<string> PeekAsync(this HttpResponseMessage response, int maxBytes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1);
        HttpContent content = response.Content;
        if (ResponseContent.IsInMemory(content))
        {
            byte[] all = await content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            return TextOf(content, all.AsMemory(0, Math.Min(maxBytes, all.Length)));
        }

        if (content is not PeekedContent peeked)
            response.Content = peeked = new(content, default, await content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false));

        if (peeked.Begin.Length < maxBytes) await peeked.ReadToAsync(maxBytes, cancellationToken).ConfigureAwait(false);
        return TextOf(content, peeked.Begin[..Math.Min(maxBytes, peeked.Begin.Length)]);
    }

    private static string TextOf(HttpContent content, ReadOnlyMemory<byte> bytes)
    {
        Decoder decoder = EncodingOf(content.Headers.ContentType?.CharSet).GetDecoder();
        char[] characters = new char[decoder.GetCharCount(bytes.Span, flush: false)];
        int count = decoder.GetChars(bytes.Span, characters, flush: false);
        return new(characters.AsSpan(0, count).TrimStart('\uFEFF'));
    }

    private static Encoding EncodingOf(string? charset)
    {
        try
        {
            return charset is { Length: > 0 } name ? Encoding.GetEncoding(name.Trim('"')) : Encoding.UTF8;
        }
        catch (ArgumentException)
        {
            return Encoding.UTF8; // one that we do not know
        }
    }
}
