using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Resilience.Idempotency;

/// <summary>A response as it is kept.</summary>
/// <remarks>
/// <code>
/// status (2 bytes)  flags (1: bit 0 = the body was not kept)  headers (2)  { name length (2) name value length (4) value }…  body
/// </code>
/// Numbers are little-endian, texts UTF-8. A header with several values is there several times. Around it stand the version, the length and
/// the checksum of <see cref="IdempotencyPayload"/>.
/// </remarks>
internal sealed class HttpResponseRecord
{
    internal required int Status { get; init; }

    internal bool IsBodyOmitted { get; init; }

    internal IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    internal ReadOnlyMemory<byte> Body { get; init; }

    internal byte[] Encode()
    {
        ArrayBufferWriter<byte> writer = new(64 + Body.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(writer.GetSpan(2), (ushort)Status);
        writer.Advance(2);
        writer.Write([(byte)(IsBodyOmitted ? 1 : 0)]);
        BinaryPrimitives.WriteUInt16LittleEndian(writer.GetSpan(2), (ushort)Headers.Count);
        writer.Advance(2);
        foreach ((string name, string value) in Headers)
        {
            Write(writer, name, 2);
            Write(writer, value, 4);
        }

        writer.Write(Body.Span);
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>Null when it is not one. Anything may be given to it: it never throws.</summary>
    internal static HttpResponseRecord? Decode(ReadOnlyMemory<byte> content)
    {
        ReadOnlySpan<byte> rest = content.Span;
        if (rest.Length < 5) return null;
        int status = BinaryPrimitives.ReadUInt16LittleEndian(rest), count = BinaryPrimitives.ReadUInt16LittleEndian(rest[3..]);
        byte flags = rest[2];
        if (status is < 200 or > 999 || flags > 1) return null;
        rest = rest[5..];
        List<KeyValuePair<string, string>> headers = [];
        for (int i = 0; i < count; i++)
        {
            if (!TryRead(ref rest, 2, out string? name) || !TryRead(ref rest, 4, out string? value) || name.Length == 0) return null;
            headers.Add(new(name, value));
        }

        return new() { Status = status, IsBodyOmitted = flags == 1, Headers = headers, Body = content[^rest.Length..] };
    }

    private static void Write(ArrayBufferWriter<byte> writer, string text, int lengthBytes)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        Span<byte> span = writer.GetSpan(lengthBytes + length);
        if (lengthBytes == 2) BinaryPrimitives.WriteUInt16LittleEndian(span, checked((ushort)length));
        else BinaryPrimitives.WriteInt32LittleEndian(span, length);
        Encoding.UTF8.GetBytes(text, span[lengthBytes..]);
        writer.Advance(lengthBytes + length);
    }

    private static bool TryRead(ref ReadOnlySpan<byte> rest, int lengthBytes, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out string? text)
    {
        text = null;
        if (rest.Length < lengthBytes) return false;
        int length = lengthBytes == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(rest) : BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (length < 0 || length > rest.Length - lengthBytes) return false;
        text = Encoding.UTF8.GetString(rest.Slice(lengthBytes, length));
        rest = rest[(lengthBytes + length)..];
        return true;
    }
}
