using System.Security.Claims;

namespace Resilience.Idempotency;

/// <summary>In whose name a request asks.</summary>
/// <remarks>A scope is the authority that was asked and the caller: user or, for a token that stands for a program (client credentials), client.
/// Each part is framed, so no two callers look alike.</remarks>
internal static class IdempotencyScope
{
    private static readonly string[] Tenants = ["tid", "tenant", "tenant_id", "http://schemas.microsoft.com/identity/claims/tenantid"];

    private static readonly string[] Users = [ClaimTypes.NameIdentifier, "sub"];

    /// <summary>Claims of tokens that stand for a program: RFC 9068 and RFC 8693, OpenID Connect, and Entra's first version.</summary>
    private static readonly string[] Clients = ["client_id", "azp", "appid"];

    /// <summary>The caller as one text of fixed length; null when the request is anonymous.</summary>
    internal static string? Of(ClaimsPrincipal user, string? authority)
    {
        if (user.Identity?.IsAuthenticated != true) return null;
        (string kind, Claim? who) = Find(user, Users) is { } subject ? ("user", subject) : ("client", Find(user, Clients));
        string? name = who?.Value;
        if (string.IsNullOrEmpty(name)) (kind, name) = ("name", user.Identity.Name);
        if (string.IsNullOrEmpty(name)) return null;
        string? issuer = user.FindFirst("iss")?.Value ?? who?.Issuer;
        return kind + " " + Hash(authority, kind, issuer, Find(user, Tenants)?.Value, name);
    }

    /// <summary>A key of the anonymous callers of one authority. Who is signed in and has no name of his own (a scheme that makes no
    /// claims) shares with those of his scheme, not with all callers.</summary>
    internal static IdempotencyKey Shared(string? authority, string? scheme, string key) =>
        authority is null && scheme is null ? IdempotencyKey.Shared(key) : new("*shared " + Hash(authority, scheme), key);

    /// <summary>A scope that an application gave, in a length that is allowed.</summary>
    internal static string Shortened(string scope) => scope.Length > IdempotencyKey.MaxScopeLength ? "long " + Hash(scope) : scope;

    private static Claim? Find(ClaimsPrincipal user, string[] types) =>
        types.Select(user.FindFirst).FirstOrDefault(static claim => !string.IsNullOrEmpty(claim?.Value));

    private static string Hash(params string?[] parts) => Convert.ToHexStringLower(Fingerprint.Of(parts).ToArray());
}
