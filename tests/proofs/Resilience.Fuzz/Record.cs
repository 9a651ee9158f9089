using System.Buffers.Binary;

namespace Resilience.Fuzz;

/// <summary>The frame around what a store keeps.</summary>
internal static class Record
{
    internal static Oracle Make(Planted planted) => new(
        "record", bytes => Check(bytes, planted), ["RI", "\u0001", "\u0001\u0001", "\u0002", "\0\0\0\0", "\u00ff\u00ff\u00ff\u00ff", "\u000c\0\0\0"]);

    private static void Check(byte[] bytes, Planted planted)
    {
        IdempotencyPayloadCheck check = Read(bytes, planted, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content);
        switch (check)
        {
            case IdempotencyPayloadCheck.Whole:
                Oracle.Require(IdempotencyPayload.Encode(kind, content.Span).AsSpan().SequenceEqual(bytes), "what was read is not what was written");
                break;
            case IdempotencyPayloadCheck.Newer:
                Oracle.Require(bytes.Length > 2 && bytes[2] > IdempotencyPayload.Version, "only a higher version is a newer one");
                break;
        }

        Oracle.Require(check == IdempotencyPayloadCheck.Whole || (content.IsEmpty && kind == IdempotencyPayloadKind.None), "what is not whole has no content");
        if (bytes is [(byte)'R', (byte)'I', > IdempotencyPayload.Version, ..])
            Oracle.Require(check == IdempotencyPayloadCheck.Newer, "a newer version is named, whatever follows");

        // The same input as a content that is to be kept; and with one bit changed.
        IdempotencyPayloadKind given = (IdempotencyPayloadKind)(bytes.Length % 5);
        byte[] framed = IdempotencyPayload.Encode(given, bytes);
        bool isBack = Read(framed, planted, out kind, out content) == IdempotencyPayloadCheck.Whole && kind == given && content.Span.SequenceEqual(bytes);
        Oracle.Require(isBack, "what was written is not read back");
        int bit = bytes.Length == 0 ? 0 : (BinaryPrimitives.ReadInt32LittleEndian([.. bytes, 0, 0, 0, 0]) & int.MaxValue) % (framed.Length * 8);
        framed[bit / 8] ^= (byte)(1 << (bit % 8));
        Oracle.Require(Read(framed, planted, out _, out _) != IdempotencyPayloadCheck.Whole, $"bit {bit} was changed and not noticed");
    }

    private static IdempotencyPayloadCheck Read(byte[] bytes, Planted planted, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content)
    {
        IdempotencyPayloadCheck check = IdempotencyPayload.Decode(bytes, out kind, out content);
        bool isFramed = bytes is [(byte)'R', (byte)'I', _, ..] && bytes.Length >= IdempotencyPayload.Overhead
            && BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4)) == bytes.Length - IdempotencyPayload.Overhead;
        if ((planted == Planted.SkipsChecksum && check == IdempotencyPayloadCheck.Corrupt && isFramed && bytes[2] == IdempotencyPayload.Version)
            || (planted == Planted.ReadsNewer && check == IdempotencyPayloadCheck.Newer && isFramed))
        {
            kind = (IdempotencyPayloadKind)bytes[3];
            content = bytes.AsMemory(IdempotencyPayload.Overhead);
            return IdempotencyPayloadCheck.Whole;
        }

        return check;
    }
}
