using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Resilience.Idempotency;

/// <summary>Where the key of a request is found when it is not in the <c>Idempotency-Key</c> header: for webhooks, whose sender names each event in a
/// header or in the body. Values for <see cref="IdempotencyEndpointOptions.KeyFor"/>.</summary>
public static class IdempotencyKeySource
{
    /// <summary>The value of a header, as it comes: <c>X-GitHub-Delivery</c>, <c>webhook-id</c>.</summary>
    /// <param name="name">The name of the header.</param>
    /// <exception cref="ArgumentException"><paramref name="name"/> is no name of a header.</exception>
    public static Func<HttpContext, ReadOnlyMemory<byte>, string?> Header(string name)
    {
        if (!IdempotencyEndpointOptions.IsToken(name)) throw new ArgumentException("This is no name of a header.", nameof(name));
        return (context, _) => context.Request.Headers[name] is { Count: 1 } values ? values[0] : null;
    }

    /// <summary>A member of the JSON document in the body, text or number: <c>Json("id")</c>, <c>Json("data", "eventId")</c>.</summary>
    /// <param name="path">The names of the members from the outside in.</param>
    /// <remarks>A body that is no JSON, and one that has no such member, has no key.</remarks>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    public static Func<HttpContext, ReadOnlyMemory<byte>, string?> Json(params string[] path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (path.Length == 0) throw new ArgumentException("The path is empty.", nameof(path));
        string[] names = [.. path];
        return (_, body) => Find(body, names);
    }

    private static string? Find(ReadOnlyMemory<byte> body, string[] names)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement at = document.RootElement;
            foreach (string name in names)
            {
                if (at.ValueKind != JsonValueKind.Object || !at.TryGetProperty(name, out at)) return null;
            }

            return at.ValueKind switch
            {
                JsonValueKind.String => at.GetString(),
                JsonValueKind.Number => at.GetRawText(),
                _ => null,
            };
        }
        catch (Exception none) when (none is JsonException or InvalidOperationException) // also text that is no Unicode
        {
            return null;
        }
    }
}
