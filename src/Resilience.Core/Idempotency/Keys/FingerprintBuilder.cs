using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Resilience.Idempotency;

/// <summary>Computes a fingerprint part by part, for what is too large or too scattered to be in one piece. Not thread-safe.</summary>
public sealed class FingerprintBuilder : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _open; // bytes of the part that is being appended

    /// <summary>Starts an empty one.</summary>
    public FingerprintBuilder() => _hash.AppendData("fp1\0"u8);

    /// <summary>Adds a text; null is a part of its own kind.</summary>
    public FingerprintBuilder Add(string? part)
    {
        if (part is null)
        {
            Frame(-1);
            return this;
        }

        // UTF-16 code units as they are: no encoder that could make two texts alike.
        Span<byte> unit = stackalloc byte[256];
        Frame(part.Length * 2L);
        ReadOnlySpan<char> rest = part;
        while (rest.Length > 0)
        {
            int count = Math.Min(rest.Length, unit.Length / 2);
            for (int i = 0; i < count; i++) BinaryPrimitives.WriteUInt16LittleEndian(unit[(2 * i)..], rest[i]);
            _hash.AppendData(unit[..(2 * count)]);
            rest = rest[count..];
        }

        return this;
    }

    /// <summary>Adds bytes.</summary>
    public FingerprintBuilder Add(ReadOnlySpan<byte> part)
    {
        Frame(part.Length);
        _hash.AppendData(part);
        return this;
    }

    /// <summary>Adds a piece of one last part that arrives in pieces; its length is framed at its end, by <see cref="EndPieces"/>.</summary>
    public FingerprintBuilder AddPiece(ReadOnlySpan<byte> piece)
    {
        _hash.AppendData(piece);
        _open += piece.Length;
        return this;
    }

    /// <summary>Ends the part whose pieces were added.</summary>
    public FingerprintBuilder EndPieces()
    {
        Frame(_open);
        _open = 0;
        return this;
    }

    /// <summary>The fingerprint of everything added; the builder is empty again.</summary>
    public Fingerprint Build()
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _hash.GetHashAndReset(hash);
        _hash.AppendData("fp1\0"u8);
        _open = 0;
        return Fingerprint.FromBytes(hash);
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();

    private void Frame(long length)
    {
        Span<byte> frame = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(frame, length);
        _hash.AppendData(frame);
    }
}
