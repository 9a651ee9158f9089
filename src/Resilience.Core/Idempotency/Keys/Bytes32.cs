using System.Buffers.Binary;

namespace Resilience.Idempotency;

/// <summary>Four words that are compared at once.</summary>
internal readonly record struct Bytes32(ulong A, ulong B, ulong C, ulong D)
{
    internal static Bytes32 From(ReadOnlySpan<byte> bytes) => bytes.Length == 32
        ? new(
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]))
        : throw new ArgumentException($"Here are {bytes.Length} bytes, but 32 are needed.", nameof(bytes));

    internal void CopyTo(Span<byte> destination)
    {
        if (destination.Length < 32) throw new ArgumentException("The destination is too short: an id has 32 bytes.", nameof(destination));
        BinaryPrimitives.WriteUInt64BigEndian(destination, A);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], B);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], C);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], D);
    }

    /// <summary>The words are a hash already: one of them is as good as a hash of them all.</summary>
    public override int GetHashCode() => A.GetHashCode();

    internal string ToHex(int bytes)
    {
        Span<byte> all = stackalloc byte[32];
        CopyTo(all);
        return Convert.ToHexStringLower(all[..bytes]);
    }
}
