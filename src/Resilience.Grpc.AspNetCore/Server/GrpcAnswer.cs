using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>An answer as it is kept: status, trailers and, if there was one, the message.</summary>
/// <remarks>
/// <code>
/// status (2 bytes)  flags (1: bit 0 = there is a message, bit 1 = it was too large and is not kept)
/// detail length (4)  detail  trailers (2)  { name length (2) name value length (4) value }…  message
/// </code>
/// Numbers are little-endian, texts UTF-8; the value of a trailer whose name ends in <c>-bin</c> is bytes. Around it stand the version, the length and the
/// checksum of <see cref="Idempotency.IdempotencyPayload"/>.
/// </remarks>
internal sealed class GrpcAnswer
{
    private const byte HasMessage = 1, IsLeftOut = 2;

    internal required Status Status { get; init; }

    internal IReadOnlyList<Metadata.Entry> Trailers { get; init; } = [];

    /// <summary>Null: there was none, as with an exception.</summary>
    internal ReadOnlyMemory<byte>? Message { get; init; }

    /// <summary>It was given once and was too large to be kept.</summary>
    internal bool IsOmitted { get; init; }

    /// <summary>Leaves out what would make it larger than this.</summary>
    internal byte[] Encode(int max)
    {
        byte[] whole = Encode();
        return whole.Length <= max ? whole : new GrpcAnswer { Status = new(Status.StatusCode, ""), IsOmitted = true }.Encode();
    }

    /// <summary>Null when it is not one. Anything may be given to it: it never throws.</summary>
    internal static GrpcAnswer? Decode(ReadOnlyMemory<byte> content)
    {
        ReadOnlySpan<byte> rest = content.Span;
        if (rest.Length < 3) return null;
        int status = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        byte flags = rest[2];
        rest = rest[3..];
        if (flags > (HasMessage | IsLeftOut) || status == ushort.MaxValue || !TryRead(ref rest, 4, out ReadOnlySpan<byte> detail)) return null;
        if (rest.Length < 2) return null;
        int count = BinaryPrimitives.ReadUInt16LittleEndian(rest);
        rest = rest[2..];
        List<Metadata.Entry> trailers = [];
        for (int i = 0; i < count; i++)
        {
            if (!TryRead(ref rest, 2, out ReadOnlySpan<byte> name) || !TryRead(ref rest, 4, out ReadOnlySpan<byte> value)) return null;
            if (EntryOf(Encoding.UTF8.GetString(name), value) is not { } entry) return null;
            trailers.Add(entry);
        }

        bool hasMessage = (flags & HasMessage) != 0;
        if (!hasMessage && rest.Length > 0) return null;
        return new()
        {
            Status = new((StatusCode)status, Encoding.UTF8.GetString(detail)),
            Trailers = trailers,
            Message = hasMessage ? content[^rest.Length..] : null,
            IsOmitted = (flags & IsLeftOut) != 0,
        };
    }

    private byte[] Encode()
    {
        ArrayBufferWriter<byte> writer = new(64 + (Message?.Length ?? 0));
        Number(writer, (int)Status.StatusCode is >= 0 and < ushort.MaxValue ? (int)Status.StatusCode : (int)StatusCode.Unknown, 2);
        writer.Write([(byte)((Message is null ? 0 : HasMessage) | (IsOmitted ? IsLeftOut : 0))]);
        Write(writer, Encoding.UTF8.GetBytes(Status.Detail ?? ""), 4);
        Number(writer, checked((ushort)Trailers.Count), 2);
        foreach (Metadata.Entry entry in Trailers)
        {
            Write(writer, Encoding.UTF8.GetBytes(entry.Key), 2);
            Write(writer, entry.IsBinary ? entry.ValueBytes : Encoding.UTF8.GetBytes(entry.Value), 4);
        }

        if (Message is { } message) writer.Write(message.Span);
        return writer.WrittenSpan.ToArray();
    }

    private static void Number(ArrayBufferWriter<byte> writer, int number, int bytes)
    {
        Span<byte> span = writer.GetSpan(bytes);
        if (bytes == 2) BinaryPrimitives.WriteUInt16LittleEndian(span, checked((ushort)number));
        else BinaryPrimitives.WriteInt32LittleEndian(span, number);
        writer.Advance(bytes);
    }

    private static void Write(ArrayBufferWriter<byte> writer, ReadOnlySpan<byte> part, int lengthBytes)
    {
        Number(writer, part.Length, lengthBytes);
        writer.Write(part);
    }

    private static bool TryRead(ref ReadOnlySpan<byte> rest, int lengthBytes, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (rest.Length < lengthBytes) return false;
        int length = lengthBytes == 2 ? BinaryPrimitives.ReadUInt16LittleEndian(rest) : BinaryPrimitives.ReadInt32LittleEndian(rest);
        if (length < 0 || length > rest.Length - lengthBytes) return false;
        part = rest.Slice(lengthBytes, length);
        rest = rest[(lengthBytes + length)..];
        return true;
    }

    /// <summary>Null: no trailer can be called so.</summary>
    private static Metadata.Entry? EntryOf(string name, ReadOnlySpan<byte> value)
    {
        try
        {
            return name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.OrdinalIgnoreCase)
                ? new(name, value.ToArray())
                : new(name, Encoding.UTF8.GetString(value));
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
