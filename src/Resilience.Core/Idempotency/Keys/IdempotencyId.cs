using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Resilience.Idempotency;

/// <summary>What a store knows an operation by: 32 bytes, the SHA-256 of scope and key. Its length is always the same, whatever the key was.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct IdempotencyId
{
    /// <summary>Its length in bytes.</summary>
    public const int Length = 32;

    private readonly Bytes32 _bytes;

    private IdempotencyId(Bytes32 bytes) => _bytes = bytes;

    /// <summary>The id of these bytes.</summary>
    /// <exception cref="ArgumentException">There are not exactly 32.</exception>
    public static IdempotencyId FromBytes(ReadOnlySpan<byte> bytes) => new(Bytes32.From(bytes));

    /// <summary>Reads what <see cref="ToHex"/> wrote: 64 hexadecimal digits, in either case.</summary>
    /// <returns>False when it is something else.</returns>
    public static bool TryParse(string? text, out IdempotencyId id)
    {
        id = default;
        if (text is not { Length: 2 * Length }) return false;
        Span<byte> bytes = stackalloc byte[Length];
        if (Convert.FromHexString(text, bytes, out _, out _) != System.Buffers.OperationStatus.Done) return false;
        id = FromBytes(bytes);
        return true;
    }

    /// <summary>Writes the 32 bytes.</summary>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public void CopyTo(Span<byte> destination) => _bytes.CopyTo(destination);

    /// <summary>The 32 bytes, as a new array.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Length];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>The key that <see cref="IdempotencyClaim.DeriveKey"/> gives for this operation: to ask another service what became of it.</summary>
    /// <param name="purpose">Which of the calls it is ("charge").</param>
    /// <returns>32 hexadecimal digits.</returns>
    /// <exception cref="ArgumentException"><paramref name="purpose"/> is null or empty.</exception>
    public string DeriveKey(string purpose)
    {
        ArgumentException.ThrowIfNullOrEmpty(purpose);
        byte[] text = new byte[4 + Length + Encoding.UTF8.GetMaxByteCount(purpose.Length)];
        "dk1\0"u8.CopyTo(text);
        CopyTo(text.AsSpan(4));
        int length = Encoding.UTF8.GetBytes(purpose, text.AsSpan(4 + Length));
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text.AsSpan(0, 4 + Length + length), hash);
        return Convert.ToHexStringLower(hash[..16]);
    }

    /// <inheritdoc/>
    public override int GetHashCode() => _bytes.GetHashCode();

    /// <summary>All of it in one word, for tables that mix it with a seed of their own.</summary>
    internal ulong Fold() => _bytes.A ^ _bytes.B ^ _bytes.C ^ _bytes.D;

    /// <summary>The first twelve hexadecimal digits: enough to find a record, not enough to guess a key.</summary>
    public override string ToString() => _bytes.ToHex(6);

    /// <summary>All 64 hexadecimal digits, in lower case.</summary>
    public string ToHex() => _bytes.ToHex(Length);
}
