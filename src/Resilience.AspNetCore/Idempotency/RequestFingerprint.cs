using System.Buffers;
using Microsoft.AspNetCore.Antiforgery;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace Resilience.Idempotency;

/// <summary>What a request asks for.</summary>
/// <remarks>Bodies are hashed while they are read, so that a large one costs no memory; the framework keeps it (on the disk, above 30 KiB) for the
/// endpoint to read again.</remarks>
internal static class RequestFingerprint
{
    private const int Piece = 16 << 10;

    /// <summary>Parts that are nested deeper count byte for byte.</summary>
    private const int DeepestParts = 4;

    /// <summary>Method, target, headers and body, each framed by its length; null when the body is larger than allowed. The request can be read
    /// again afterwards.</summary>
    internal static async Task<Fingerprint?> OfAsync(HttpContext context, IdempotencyEndpointOptions options, string? authority)
    {
        HttpRequest request = context.Request;
        if (request.ContentLength > options.MaxRequestBodyBytes) return null;
        if (options.FingerprintFor is { } chosen)
        {
            return await ReadWholeAsync(context, options.MaxRequestBodyBytes).ConfigureAwait(false) is { } whole ? chosen(context, whole) : null;
        }

        using FingerprintBuilder builder = new();
        builder.Add("http2").Add(request.Method);
        IdempotencyTarget.AddTo(builder, request, authority);
        foreach (string name in options.FingerprintHeaders.Prepend("Content-Encoding").Prepend("Content-Type"))
            IdempotencyTarget.Add(builder, name, name == "Content-Type" ? Canonical(request.Headers.ContentType) : request.Headers[name]);
        builder.Add((string?)null);
        return await ReadAsync(context, builder, null, options.MaxRequestBodyBytes).ConfigureAwait(false) ? builder.Build() : null;
    }

    /// <summary>The whole body, which can be read again; null when it is larger than allowed.</summary>
    internal static async Task<ReadOnlyMemory<byte>?> ReadWholeAsync(HttpContext context, int max)
    {
        if (context.Request.ContentLength > max) return null;
        using MemoryStream whole = new();
        return await ReadAsync(context, null, whole, max).ConfigureAwait(false) ? whole.ToArray() : null;
    }

    /// <summary>The type as it is meant: names in lower case, parameters in order, without what changes nothing (<c>charset=utf-8</c>, and the
    /// boundary, which many clients make up anew each time).</summary>
    internal static StringValues Canonical(StringValues contentType)
    {
        if (contentType.Count != 1 || !MediaTypeHeaderValue.TryParse(contentType[0], out MediaTypeHeaderValue? type)) return contentType;
        IEnumerable<string> parameters = type.Parameters
            .Select(p => (Name: p.Name.Value!.ToLowerInvariant(), Value: HeaderUtilities.RemoveQuotes(p.Value).Value ?? ""))
            .Select(p => p.Name == "charset" ? p with { Value = p.Value.ToLowerInvariant() } : p)
            .Where(p => p != ("charset", "utf-8") && !(p.Name == "boundary" && IsMultipart(type)))
            .OrderBy(p => p.Name, StringComparer.Ordinal).ThenBy(p => p.Value, StringComparer.Ordinal)
            .Select(p => $"; {p.Name}=\"{p.Value}\"");
        return type.MediaType.Value!.ToLowerInvariant() + string.Concat(parameters);
    }

    private static bool IsMultipart(MediaTypeHeaderValue type) => type.Type.Equals("multipart", StringComparison.OrdinalIgnoreCase);

    /// <summary>Reads the body into the builder, or the bytes into a stream; false when it is larger than allowed. Of a form that code before us
    /// has read, and with it the body (a check against forgery does), what it says.</summary>
    private static async Task<bool> ReadAsync(HttpContext context, FingerprintBuilder? builder, MemoryStream? bytes, int max)
    {
        HttpRequest request = context.Request;
        CancellationToken cancellationToken = context.RequestAborted;

        // What was rejected as a forgery cannot be looked at; the endpoint will not receive it either.
        bool isForgery = context.Features.Get<IAntiforgeryValidationFeature>() is { IsValid: false };
        if (!request.Body.CanSeek && !isForgery && context.Features.Get<IFormFeature>()?.Form is { } form)
            return await AddFormAsync(form, builder, bytes, max, cancellationToken).ConfigureAwait(false);
        request.EnableBuffering();
        request.Body.Position = 0; // earlier readers may have left it at another position
        string? boundary = builder is null ? null : BoundaryOf(request.ContentType);
        long length = await AddPiecesAsync(request.Body, boundary is null ? builder : null, bytes, max, cancellationToken).ConfigureAwait(false);
        request.Body.Position = 0;
        if (length > max) return false;
        if (boundary is null) builder?.EndPieces();
        else await AddMultipartAsync(request.Body, boundary, builder!, cancellationToken).ConfigureAwait(false);
        request.Body.Position = 0;
        return true;
    }

    private static string? BoundaryOf(string? contentType) =>
        MediaTypeHeaderValue.TryParse(contentType, out MediaTypeHeaderValue? type) && IsMultipart(type)
        && HeaderUtilities.RemoveQuotes(type.Boundary).Value is { Length: > 0 and <= 256 } boundary ? boundary : null;

    /// <summary>Returns how long it is, or more than allowed as soon as that is known.</summary>
    private static async Task<long> AddPiecesAsync(
        Stream body, FingerprintBuilder? builder, MemoryStream? bytes, long max, CancellationToken cancellationToken)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(Piece);
        try
        {
            long length = 0;
            int read;
            while (length <= max && (read = await body.ReadAsync(piece.AsMemory(0, Piece), cancellationToken).ConfigureAwait(false)) > 0)
            {
                length += read;
                builder?.AddPiece(piece.AsSpan(0, read));
                if (length <= max) bytes?.Write(piece, 0, read);
            }

            return length;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece, clearArray: true);
        }
    }

    /// <summary>The parts of a multipart body, whatever stands between them. What cannot be read so counts byte for byte.</summary>
    private static async Task AddMultipartAsync(Stream body, string boundary, FingerprintBuilder builder, CancellationToken cancellationToken)
    {
        try
        {
            await AddPartsAsync(body, boundary, builder, 1, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception malformed) when (malformed is InvalidDataException or IOException)
        {
            body.Position = 0;
            builder.Add("as it came").Add(boundary);
            await AddPiecesAsync(body, builder, null, long.MaxValue - Piece, cancellationToken).ConfigureAwait(false);
            builder.EndPieces();
        }
    }

    /// <summary>A part may have parts of its own, with a boundary of its own.</summary>
    private static async Task AddPartsAsync(Stream body, string boundary, FingerprintBuilder builder, int depth, CancellationToken cancellationToken)
    {
        MultipartReader reader = new(boundary, body);
        while (await reader.ReadNextSectionAsync(cancellationToken).ConfigureAwait(false) is { } part)
        {
            string? inner = depth < DeepestParts ? BoundaryOf(part.ContentType) : null;
            builder.Add("part");
            foreach ((string name, StringValues values) in (part.Headers ?? []).OrderBy(h => h.Key, StringComparer.OrdinalIgnoreCase))
            {
                bool isType = inner is not null && name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase);
                IdempotencyTarget.Add(builder, name.ToLowerInvariant(), isType ? Canonical(values) : values);
            }

            builder.Add((string?)null);
            if (inner is not null) await AddPartsAsync(part.Body, inner, builder, depth + 1, cancellationToken).ConfigureAwait(false);
            else await AddPiecesAsync(part.Body, builder, null, long.MaxValue - Piece, cancellationToken).ConfigureAwait(false);
            builder.EndPieces();
        }
    }

    /// <summary>Fields and files, each text and each content framed by its length.</summary>
    private static async Task<bool> AddFormAsync(
        IFormCollection form, FingerprintBuilder? builder, MemoryStream? bytes, int max, CancellationToken cancellationToken)
    {
        using FingerprintBuilder fields = new();
        FingerprintBuilder into = builder ?? fields;
        long length = 0;
        into.Add("form");
        foreach ((string name, StringValues values) in form.OrderBy(f => f.Key, StringComparer.Ordinal))
        {
            length += name.Length + values.Sum(v => v?.Length ?? 0);
            IdempotencyTarget.Add(into, name, values);
        }

        foreach (IFormFile file in form.Files)
        {
            length += file.Length;
            if (length > max) return false;
            into.Add(file.Name).Add(file.FileName).Add(Canonical(file.ContentType).ToString());
            Stream content = file.OpenReadStream();
            await using (content.ConfigureAwait(false)) await AddPiecesAsync(content, into, null, max, cancellationToken).ConfigureAwait(false);
            into.EndPieces();
        }

        if (length > max) return false;
        if (builder is not null) return true;

        // Who computes the fingerprint for himself looks at the form; for "the body" he receives something that changes with it.
        bytes!.Write(fields.Build().ToArray());
        return true;
    }
}
