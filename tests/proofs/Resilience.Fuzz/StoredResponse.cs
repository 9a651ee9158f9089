using System.Buffers.Binary;
using System.Text;

namespace Resilience.Fuzz;

/// <summary>An HTTP response as it is kept.</summary>
internal static class StoredResponse
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    internal static Oracle Make(Planted planted) => new(
        "response", bytes => Check(bytes, planted),
        ["\u00c8\0\0", "\u00c8\0\u0001", "\u0001\0", "\u0002\0", "\u0001\0a", "\u0001\0\0\0b", "\u00ff\u00ff", "\u00ff\u00ff\u00ff\u007f", "\0\0\0\u0080", "content-type"]);

    private static void Check(byte[] bytes, Planted planted)
    {
        if (Read(bytes, planted) is { } read)
        {
            Oracle.Require(read.Status is >= 200 and <= 999 && read.Headers.All(h => h.Key.Length > 0), "a status that is none, or a header without a name");
            Oracle.Require(bytes.AsSpan().EndsWith(read.Body.Span), "the body is the end of what was stored");
            byte[] again = read.Encode();
            Oracle.Require(AreSame(Read(again, planted), read), "what was read is not read back");
            if (IsText(bytes.AsSpan(0, bytes.Length - read.Body.Length), read)) Oracle.Require(again.AsSpan().SequenceEqual(bytes), "what was read is not what was written");
        }

        // The same input as a response that is to be kept.
        HttpResponseRecord kept = Make(bytes);
        Oracle.Require(AreSame(Read(kept.Encode(), planted), kept), "what was written is not read back");
    }

    /// <summary>Whether all the texts are well-formed; others are read with marks in place of what is not.</summary>
    private static bool IsText(ReadOnlySpan<byte> head, HttpResponseRecord read)
    {
        int length = 5 + read.Headers.Sum(h => 6 + Strict.GetByteCount(h.Key) + Strict.GetByteCount(h.Value));
        return length == head.Length && !read.Headers.Any(h => h.Key.Contains('\ufffd') || h.Value.Contains('\ufffd'));
    }

    private static HttpResponseRecord Make(byte[] bytes)
    {
        string text = Encoding.Latin1.GetString(bytes);
        string[] parts = text.Split('\n');
        return new()
        {
            Status = 200 + (bytes.Length % 400),
            IsBodyOmitted = bytes.Length % 2 == 1,
            Headers = [.. parts.Take(4).Where(p => p.Length > 0).Select((p, i) => new KeyValuePair<string, string>($"h{i}-{p[..Math.Min(p.Length, 3)]}", p))],
            Body = bytes,
        };
    }

    private static bool AreSame(HttpResponseRecord? left, HttpResponseRecord right) => left is not null
        && left.Status == right.Status && left.IsBodyOmitted == right.IsBodyOmitted && left.Headers.SequenceEqual(right.Headers)
        && left.Body.Span.SequenceEqual(right.Body.Span);

    private static HttpResponseRecord? Read(byte[] bytes, Planted planted)
    {
        if (planted == Planted.TrustsLengths && bytes.Length >= 7 && bytes[3] == 1 && bytes[4] == 0)
            _ = Encoding.UTF8.GetString(bytes, 7, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(5)));
        HttpResponseRecord? read = HttpResponseRecord.Decode(bytes);
        return planted == Planted.ForgetsTheFlag && read is { IsBodyOmitted: true }
            ? new() { Status = read.Status, Headers = read.Headers, Body = read.Body }
            : read;
    }
}
