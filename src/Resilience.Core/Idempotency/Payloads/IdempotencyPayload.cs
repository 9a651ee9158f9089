using System.Buffers.Binary;
using System.Numerics;

namespace Resilience.Idempotency;

/// <summary>The frame around what is stored: who wrote it, in which version, how long it is, and a checksum.</summary>
/// <remarks>
/// <code>
///  0  1   2        3     4            8            12
/// 'R''I'  version  kind  length (LE)  CRC-32C (LE) content…
/// </code>
/// The checksum (Castagnoli, RFC 3720) covers version, kind, length and content. It finds accidents, not attackers: who can write to the
/// store can write what he wants.
/// </remarks>
public static class IdempotencyPayload
{
    /// <summary>The version that this library writes, and the highest that it reads.</summary>
    public const byte Version = 1;

    /// <summary>How many bytes the frame adds.</summary>
    public const int Overhead = 12;

    /// <summary>Frames a content.</summary>
    public static byte[] Encode(IdempotencyPayloadKind kind, ReadOnlySpan<byte> content)
    {
        byte[] framed = new byte[Overhead + content.Length];
        Encode(kind, content, framed);
        return framed;
    }

    /// <summary>Frames a content where there is room for it: exactly <see cref="Overhead"/> bytes more.</summary>
    internal static void Encode(IdempotencyPayloadKind kind, ReadOnlySpan<byte> content, Span<byte> framed)
    {
        framed[0] = (byte)'R';
        framed[1] = (byte)'I';
        framed[2] = Version;
        framed[3] = (byte)kind;
        BinaryPrimitives.WriteInt32LittleEndian(framed[4..], content.Length);
        content.CopyTo(framed[Overhead..]);
        BinaryPrimitives.WriteUInt32LittleEndian(framed[8..], Checksum(framed));
    }

    /// <summary>Reads a frame. Anything may be given to it: it never throws.</summary>
    /// <param name="framed">What was stored.</param>
    /// <param name="kind">What it holds; <see cref="IdempotencyPayloadKind.None"/> unless it is whole.</param>
    /// <param name="content">The content, a part of <paramref name="framed"/>; empty unless it is whole.</param>
    public static IdempotencyPayloadCheck Decode(ReadOnlyMemory<byte> framed, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content)
    {
        kind = IdempotencyPayloadKind.None;
        content = default;
        ReadOnlySpan<byte> bytes = framed.Span;
        if (bytes.Length < 3 || bytes[0] != 'R' || bytes[1] != 'I' || bytes[2] == 0) return IdempotencyPayloadCheck.Corrupt;
        if (bytes[2] > Version) return IdempotencyPayloadCheck.Newer;
        if (bytes.Length < Overhead || BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]) != bytes.Length - Overhead) return IdempotencyPayloadCheck.Corrupt;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]) != Checksum(bytes)) return IdempotencyPayloadCheck.Corrupt;
        kind = (IdempotencyPayloadKind)bytes[3];
        content = framed[Overhead..];
        return IdempotencyPayloadCheck.Whole;
    }

    private static uint Checksum(ReadOnlySpan<byte> framed)
    {
        uint crc = Add(uint.MaxValue, framed[2..8]);
        return ~Add(crc, framed[Overhead..]);
    }

    private static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (byte one in bytes) crc = BitOperations.Crc32C(crc, one);
        return crc;
    }
}
