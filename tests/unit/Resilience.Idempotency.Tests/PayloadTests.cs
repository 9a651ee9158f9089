using CsCheck;

namespace Resilience.Idempotency.Tests;

/// <summary>The frame around what is stored: round trip, and every single change found.</summary>
public sealed class PayloadTests
{
    private static readonly int Times = Environment.GetEnvironmentVariable("RESILIENCE_DEEP") is null ? 100_000 : 5_000_000;

    [Fact]
    public void What_was_written_is_read_back() => Gen.Select(Gen.Byte[1, 4], Gen.Byte.Array[0, 200]).Sample((kind, content) =>
        IdempotencyPayload.Decode(IdempotencyPayload.Encode((IdempotencyPayloadKind)kind, content), out IdempotencyPayloadKind read,
            out ReadOnlyMemory<byte> back)
            == IdempotencyPayloadCheck.Whole && (byte)read == kind && back.Span.SequenceEqual(content), iter: Times);

    [Fact]
    public void A_change_of_any_bit_is_found()
    {
        byte[] whole = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "twelve euros and fifty cents"u8);
        for (int bit = 0; bit < whole.Length * 8; bit++)
        {
            byte[] changed = [.. whole];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            IdempotencyPayload.Decode(changed, out _, out ReadOnlyMemory<byte> content).Should().NotBe(IdempotencyPayloadCheck.Whole, $"bit {bit}");
            content.IsEmpty.Should().BeTrue();
        }
    }

    [Fact]
    public void A_cut_or_longer_one_is_found()
    {
        byte[] whole = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "twelve euros"u8);
        for (int length = 0; length < whole.Length; length++)
            IdempotencyPayload.Decode(whole.AsMemory(0, length), out _, out _).Should().Be(IdempotencyPayloadCheck.Corrupt);
        IdempotencyPayload.Decode(new byte[][] { whole, [0] }.SelectMany(b => b).ToArray(), out _, out _).Should().Be(IdempotencyPayloadCheck.Corrupt);
    }

    [Fact]
    public void A_newer_version_is_named_whatever_follows()
    {
        byte[] newer = [.. IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, "x"u8)];
        newer[2] = IdempotencyPayload.Version + 1;

        IdempotencyPayload.Decode(newer, out _, out _).Should().Be(IdempotencyPayloadCheck.Newer);
        IdempotencyPayload.Decode(newer.AsMemory(0, 3), out _, out _).Should().Be(IdempotencyPayloadCheck.Newer);
    }

    [Fact]
    public void Whatever_is_stored_is_read_or_rejected() => Gen.OneOf(
        Gen.Byte.Array[0, 64],
        Gen.Byte.Array[0, 64].Select(rest => (byte[])[(byte)'R', (byte)'I', 1, .. rest])).Sample(bytes =>
            IdempotencyPayload.Decode(bytes, out IdempotencyPayloadKind kind, out ReadOnlyMemory<byte> content) == IdempotencyPayloadCheck.Whole
                ? IdempotencyPayload.Encode(kind, content.Span).SequenceEqual(bytes)
                : content.IsEmpty && kind == IdempotencyPayloadKind.None, iter: Times);

    /// <summary>Known answers (RFC 3720, B.4), so that another language can read what we store.</summary>
    [Fact]
    public void The_frame_is_as_documented()
    {
        byte[] framed = IdempotencyPayload.Encode(IdempotencyPayloadKind.Value, [1, 2]);

        framed[..8].Should().Equal((byte)'R', (byte)'I', 1, 1, 2, 0, 0, 0);
        BitConverter.ToUInt32(framed, 8).Should().Be(SlowCrc32C([1, 1, 2, 0, 0, 0, 1, 2]));
        SlowCrc32C(new byte[32]).Should().Be(0x8A9136AAu, "32 bytes of zeroes");
    }

    private static uint SlowCrc32C(byte[] bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int i = 0; i < 8; i++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }

        return ~crc;
    }
}
