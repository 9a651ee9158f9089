using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;

namespace Resilience.Idempotency;

/// <summary>Encrypts the responses that are stored, with the keys of the application's data protection.</summary>
/// <remarks>The id of the record is encrypted with the response: an attacker who can write to the store cannot move a response to another key. Old keys stay
/// readable as long as data protection keeps them; a response whose key was revoked cannot be read, and is not executed again. Thread-safe.</remarks>
internal sealed class PayloadCipher(IDataProtectionProvider provider)
{
    /// <summary>The purpose; it separates these from whatever else the application encrypts.</summary>
    private const string Purpose = "Resilience.Idempotency.HttpResponse.v1";

    private readonly IDataProtector _protector = provider.CreateProtector(Purpose);

    /// <summary>In the place of a status, which it cannot be.</summary>
    private static ReadOnlySpan<byte> Mark => [0xFF, 0xFF, (byte)'E', 1];

    internal static bool IsEncrypted(ReadOnlySpan<byte> content) => content.StartsWith(Mark);

    internal byte[] Encrypt(IdempotencyId id, byte[] record) => [.. Mark, .. _protector.Protect([.. id.ToArray(), .. record])];

    /// <summary>Null when it was not encrypted by us, for this record, with a key that is still there.</summary>
    internal byte[]? TryDecrypt(IdempotencyId id, ReadOnlySpan<byte> content)
    {
        try
        {
            byte[] plain = _protector.Unprotect(content[Mark.Length..].ToArray());
            return plain.AsSpan().StartsWith(id.ToArray()) ? plain[IdempotencyId.Length..] : null;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }
}
