using System.Security.Cryptography;
using System.Text;

namespace Resilience.Idempotency;

/// <summary>What a caller names an operation by, and in whose name: two callers who choose the same key must not meet.</summary>
/// <remarks>Neither part is stored or logged; stores see the <see cref="IdempotencyId"/> only.</remarks>
public readonly record struct IdempotencyKey
{
    /// <summary>Under this property a policy finds the key of a call (<see cref="CallOptions.Properties"/>), unless it was told to look elsewhere.</summary>
    public static readonly ResilienceProperty<IdempotencyKey> Property = new("idempotency key");

    /// <summary>The longest key, in characters.</summary>
    public const int MaxLength = 255;

    /// <summary>The longest scope, in characters.</summary>
    public const int MaxScopeLength = 1024;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Names an operation.</summary>
    /// <param name="scope">Who asks: the tenant, the user, the name of the consumer. 1 to 1,024 characters.</param>
    /// <param name="value">The key. 1 to 255 characters, no control characters, well-formed Unicode; compared character by character, so
    /// case matters and nothing is normalised.</param>
    /// <exception cref="ArgumentException">A part is missing, too long, or not made of characters as above.</exception>
    public IdempotencyKey(string scope, string value)
    {
        ThrowIfBad(scope, nameof(scope), MaxScopeLength);
        ThrowIfBad(value, nameof(value), MaxLength);
        Scope = scope;
        Value = value;
    }

    /// <summary>Who asks.</summary>
    public string Scope { get; }

    /// <summary>The key.</summary>
    public string Value { get; }

    /// <summary>A key in a namespace that all callers share. Only for keys that cannot be guessed or that no other caller can send: a caller that sends
    /// the same key receives the same answer.</summary>
    /// <exception cref="ArgumentException">The key is missing, too long, or not well-formed.</exception>
    public static IdempotencyKey Shared(string value) => new("*shared", value);

    /// <summary>What is wrong with a key; null when nothing is. For callers who answer instead of throwing.</summary>
    public static string? FindProblem(string? value) => FindProblem(value, MaxLength);

    /// <summary>Scope and key, each framed by its length so that no two pairs look alike, through SHA-256.</summary>
    /// <exception cref="InvalidOperationException">This is <c>default</c>.</exception>
    public IdempotencyId ToId()
    {
        if (Value is null) throw new InvalidOperationException("default(IdempotencyKey) names nothing.");
        int max = 4 + (2 * sizeof(int)) + Strict.GetMaxByteCount(Scope.Length) + Strict.GetMaxByteCount(Value.Length);
        byte[]? rented = max > 1024 ? System.Buffers.ArrayPool<byte>.Shared.Rent(max) : null;
        Span<byte> text = rented ?? stackalloc byte[1024];
        "v1\0\0"u8.CopyTo(text);
        int length = Frame(text, 4, Scope);
        length = Frame(text, length, Value);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(text[..length], hash);
        if (rented is not null) System.Buffers.ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        return IdempotencyId.FromBytes(hash);
    }

    /// <summary>Shows neither the scope nor the key: only the first characters of the id.</summary>
    public override string ToString() => Value is null ? "no key" : ToId().ToString();

    private static int Frame(Span<byte> text, int at, string part)
    {
        int length = Strict.GetBytes(part, text[(at + sizeof(int))..]);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32LittleEndian(text[at..], length);
        return at + sizeof(int) + length;
    }

    private static void ThrowIfBad(string part, string name, int longest)
    {
        ArgumentNullException.ThrowIfNull(part, name);
        if (FindProblem(part, longest) is { } problem) throw new ArgumentException($"The {(name == "scope" ? name : "key")} {problem}.", name);
    }

    private static string? FindProblem(string? text, int longest)
    {
        if (string.IsNullOrEmpty(text)) return "is empty";
        if (text.Length > longest) return $"is {text.Length} characters long, but at most {longest} are allowed";
        for (int i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i])) return $"has a control character at position {i}";
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1])) i++;
            else if (char.IsSurrogate(text[i])) return $"has half a surrogate pair at position {i}";
        }

        return null;
    }
}
