using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Resilience.Idempotency;

/// <summary>Which headers of a response are kept, and which of a record are replayed: one filter, so that nothing comes out of a store that could
/// not have gone in.</summary>
internal static class KeptHeaders
{
    /// <summary>What belongs to one connection, one message or one recipient.</summary>
    private static readonly HashSet<string> Never = new(StringComparer.OrdinalIgnoreCase)
    {
        "Set-Cookie", "Set-Cookie2", "Date", "Server", "Age", "Via", "Alt-Svc", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate",
        "WWW-Authenticate", "Authentication-Info", "Proxy-Authentication-Info", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings",
        "Content-Length", "Strict-Transport-Security", "traceparent", "tracestate", "Retry-After", "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Expose-Headers",
        "Access-Control-Max-Age", "Vary", "Idempotent-Replayed", "Idempotency-Status", "X-Should-Retry",
    };

    /// <summary>What the response has before the endpoint runs: whatever set it will set it again, for the caller of then.</summary>
    internal static Dictionary<string, StringValues> Before(HttpResponse response) => new(response.Headers, StringComparer.OrdinalIgnoreCase);

    /// <summary>The headers to keep of a response.</summary>
    internal static List<KeyValuePair<string, string>> Of(HttpResponse response, Dictionary<string, StringValues> before, IdempotencyEndpointOptions options)
    {
        List<KeyValuePair<string, string>> kept = [];
        HashSet<string> ofConnection = new(
            response.Headers.Connection.SelectMany(v => (v ?? "").Split(',', StringSplitOptions.TrimEntries)), StringComparer.OrdinalIgnoreCase);
        foreach ((string name, StringValues values) in response.Headers)
        {
            if (IsForbidden(name) || !IsMeant(name, options) || ofConnection.Contains(name)) continue;
            if (before.TryGetValue(name, out StringValues former) && former == values) continue;
            foreach (string? value in values) kept.Add(new(name, value ?? ""));
        }

        return kept;
    }

    /// <summary>The headers to replay; null when one of them can never have been kept, so that the record is not what was written.</summary>
    internal static IReadOnlyList<KeyValuePair<string, string>>? ToReplay(HttpResponseRecord record, IdempotencyEndpointOptions options) =>
        record.Headers.Any(h => IsForbidden(h.Key) || h.Value.Any(IsForbidden)) ? null : [.. record.Headers.Where(h => IsMeant(h.Key, options))];

    /// <summary>A name that is none, or one that a message of its own must have.</summary>
    private static bool IsForbidden(string name) => Never.Contains(name) || !IdempotencyEndpointOptions.IsToken(name);

    /// <summary>Of the characters that are not visible a value may have blanks and tabs (RFC 9110, 5.5).</summary>
    private static bool IsForbidden(char c) => char.IsControl(c) && c != '\t';

    /// <summary>If there is a content encoding at this moment, the endpoint itself has encoded the bytes that are kept (what stands further out
    /// encodes what we send): they cannot be read without it.</summary>
    private static bool IsMeant(string name, IdempotencyEndpointOptions options) =>
        options.KeptHeaders.Contains(name) || name.Equals("Content-Encoding", StringComparison.OrdinalIgnoreCase);
}
