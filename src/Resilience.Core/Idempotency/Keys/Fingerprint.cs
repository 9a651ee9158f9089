using System.Runtime.InteropServices;

namespace Resilience.Idempotency;

/// <summary>What was asked for, as 32 bytes: a key that comes back with another fingerprint was used for something else.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct Fingerprint
{
    /// <summary>Under this property a policy finds the fingerprint of a call (<see cref="CallOptions.Properties"/>), unless it was told to look
    /// elsewhere.</summary>
    public static readonly ResilienceProperty<Fingerprint> Property = new("idempotency fingerprint");

    /// <summary>Its length in bytes.</summary>
    public const int Length = 32;

    private readonly Bytes32 _bytes;

    private Fingerprint(Bytes32 bytes) => _bytes = bytes;

    /// <summary>All zeros: the key alone says what is asked for.</summary>
    public static Fingerprint None => default;

    /// <summary>The fingerprint of these parts, in this order. Parts are framed by their length: ("a", "bc") is not ("ab", "c"), and null is
    /// not the empty text.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="parts"/> is null.</exception>
    public static Fingerprint Of(params string?[] parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        using FingerprintBuilder builder = new();
        foreach (string? part in parts) builder.Add(part);
        return builder.Build();
    }

    /// <summary>The fingerprint of these bytes.</summary>
    public static Fingerprint Of(ReadOnlySpan<byte> content)
    {
        using FingerprintBuilder builder = new();
        builder.Add(content);
        return builder.Build();
    }

    /// <summary>A fingerprint that was computed before.</summary>
    /// <exception cref="ArgumentException">There are not exactly 32 bytes.</exception>
    public static Fingerprint FromBytes(ReadOnlySpan<byte> bytes) => new(Bytes32.From(bytes));

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

    /// <inheritdoc/>
    public override int GetHashCode() => _bytes.GetHashCode();

    /// <summary>Nothing but the name of the type: the content is confidential.</summary>
    public override string ToString() => nameof(Fingerprint);
}
