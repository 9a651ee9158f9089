using System.Security.Claims;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Resilience;

/// <summary>What a request asks for, and in whose name.</summary>
internal static class RequestFingerprint
{
    private static readonly string[] TenantClaims = ["tid", "tenant", "tenant_id", "http://schemas.microsoft.com/identity/claims/tenantid"];

    /// <summary>The whole body, or null when it is larger than allowed. The request can be read again afterwards. Of a form that somebody
    /// before us has read, and with it the body (a check against forgery does), what it says.</summary>
    internal static async Task<byte[]?> ReadBodyAsync(HttpRequest request, int most, CancellationToken cancellationToken)
    {
        if (request.ContentLength > most) return null;

        // What was refused as a forgery cannot be looked at; the endpoint will not receive it either.
        IFeatureCollection features = request.HttpContext.Features;
        bool isForgery = features.Get<IAntiforgeryValidationFeature>() is { IsValid: false };
        if (!request.Body.CanSeek && !isForgery && features.Get<IFormFeature>()?.Form is { } form)
            return await ReadFormAsync(form, most, cancellationToken).ConfigureAwait(false);
        request.EnableBuffering();
        request.Body.Position = 0; // whoever has read it before need not have turned back
        using MemoryStream body = new();
        byte[] piece = System.Buffers.ArrayPool<byte>.Shared.Rent(16 << 10);
        try
        {
            int read;
            while ((read = await request.Body.ReadAsync(piece, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (body.Length + read > most) return null;
                body.Write(piece, 0, read);
            }
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(piece, clearArray: true);
        }

        request.Body.Position = 0;
        return body.ToArray();
    }

    /// <summary>Fields and files, each text and each content framed by its length.</summary>
    private static async Task<byte[]?> ReadFormAsync(IFormCollection form, int most, CancellationToken cancellationToken)
    {
        using MemoryStream body = new();
        using BinaryWriter writer = new(body);
        writer.Write(form.Count);
        foreach ((string name, StringValues values) in form.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            writer.Write(name);
            writer.Write(values.Count);
            foreach (string? value in values) writer.Write(value ?? "");
        }

        foreach (IFormFile file in form.Files)
        {
            if (body.Length + file.Length > most) return null;
            writer.Write(file.Name);
            writer.Write(file.FileName);
            writer.Write(file.ContentType ?? "");
            writer.Write(file.Length);
            Stream content = file.OpenReadStream();
            await using (content.ConfigureAwait(false)) await content.CopyToAsync(body, cancellationToken).ConfigureAwait(false);
        }

        return body.Length > most ? null : body.ToArray();
    }

    /// <summary>Method, path as it came, query, headers and body, each framed by its length. The order of different query parameters does not
    /// matter, that of equal ones does.</summary>
    internal static Fingerprint Of(HttpRequest request, ReadOnlySpan<byte> body, IEnumerable<string> headers)
    {
        using FingerprintBuilder builder = new();
        builder.Add("http1").Add(request.Method).Add(request.PathBase.Value + request.Path.Value);
        foreach ((string name, StringValues values) in request.Query.OrderBy(q => q.Key, StringComparer.Ordinal)) Add(builder, name, values);
        builder.Add((string?)null);
        foreach (string name in headers.Prepend("Content-Encoding").Prepend("Content-Type")) Add(builder, name, request.Headers[name]);
        return builder.Add((string?)null).Add(body).Build();
    }

    /// <summary>The authenticated user as one text of fixed length; null when there is none.</summary>
    internal static string? ScopeOf(ClaimsPrincipal user)
    {
        if (user.Identity?.IsAuthenticated != true) return null;
        Claim? subject = user.FindFirst(ClaimTypes.NameIdentifier) ?? user.FindFirst("sub");
        string? who = subject?.Value ?? user.Identity.Name;
        if (string.IsNullOrEmpty(who)) return null;
        string? tenant = TenantClaims.Select(user.FindFirst).FirstOrDefault(c => c is not null)?.Value;
        string? issuer = user.FindFirst("iss")?.Value ?? subject?.Issuer;
        return "user " + Convert.ToHexStringLower(Fingerprint.Of(issuer, tenant, who).ToArray());
    }

    private static void Add(FingerprintBuilder builder, string name, StringValues values)
    {
        builder.Add(name).Add(values.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
        foreach (string? value in values) builder.Add(value);
    }
}
