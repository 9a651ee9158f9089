using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Resilience.Idempotency;

/// <summary>Answers in place of the endpoint: problem details (RFC 9457), and replays.</summary>
internal static class IdempotencyProblems
{
    /// <summary>The statuses of the answers below, for descriptions of interfaces.</summary>
    internal static readonly int[] Statuses = [400, 409, 413, 422, 429, 503];

    /// <summary><see cref="ShouldRetryHeader"/> says "false" where a repetition cannot help: clients (ours, and those of several services) honor it
    /// whatever the status.</summary>
    internal const string ReplayedHeader = "Idempotent-Replayed", StatusHeader = "Idempotency-Status", ShouldRetryHeader = "X-Should-Retry";

    internal static Task WriteAsync(
        HttpContext context, IdempotencyEndpointOptions options, int status, string name, string title, string detail, bool isRetryable = false,
            TimeSpan? retryAfter = null)
    {
        HttpResponse response = context.Response;
        response.StatusCode = status;
        response.Headers.CacheControl = "no-store";
        if (!isRetryable) response.Headers[ShouldRetryHeader] = "false";
        if (retryAfter is { } after) response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(after.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (options.WriteProblem is { } write)
            return write(context, new(status, options.ProblemTypeBase + name, name, title, detail, isRetryable, retryAfter)).AsTask();
        response.ContentType = "application/problem+json";
        using MemoryStream body = new();
        using (Utf8JsonWriter json = new(body))
        {
            json.WriteStartObject();
            json.WriteString("type", options.ProblemTypeBase + name);
            json.WriteString("title", title);
            json.WriteNumber("status", status);
            json.WriteString("detail", detail);
            json.WriteString("code", name);
            json.WriteBoolean("retryable", isRetryable);
            json.WriteEndObject();
        }

        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body.ToArray()).AsTask();
    }

    internal static Task KeyMissingAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status400BadRequest, "key-missing", "An idempotency key is required",
        options.KeyFor is null
            ? $"Send a key that is unique to this request, such as a UUID, in the {options.HeaderName} header, and send the same one when you repeat it."
            : "The request has no key where this endpoint looks for it.");

    internal static Task KeyInvalidAsync(HttpContext context, IdempotencyEndpointOptions options, string problem) => WriteAsync(
        context, options, StatusCodes.Status400BadRequest, "key-invalid", "The idempotency key is not valid", $"The key {problem}.");

    internal static Task ScopeInvalidAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status400BadRequest, "scope-invalid", "The caller's name is not valid",
        "The name in which the request is sent, from a header or a token, has characters that no name may have.");

    internal static Task ReplayForbiddenAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status403Forbidden, "replay-forbidden", "The response of the earlier request may not be seen",
        "Nothing was carried out.");

    internal static Task CallerUnknownAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status401Unauthorized, "caller-unknown", "A request with an idempotency key needs a caller",
        "Keys belong to the caller who sends them. Sign in, and send the request again.");

    /// <summary>The server's mistake. The client hears that it is one and that repeating does not help; what it is stands in the log.</summary>
    internal static Task MisconfiguredAsync(HttpContext context, IdempotencyEndpointOptions options, string mistake)
    {
        IdempotencyLog.Misconfigured(context, mistake);
        return WriteAsync(
            context, options, StatusCodes.Status500InternalServerError, "misconfigured", "The service is not set up for idempotency keys here",
            "Nothing was carried out. The mistake is in the service, and its log says which it is; repeating the request does not help.");
    }

    /// <summary>Requests end, so it is soon worth another try.</summary>
    internal static Task TooManyOpenAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status429TooManyRequests, "too-many-open", "Too many requests of this caller are open",
        $"At most {Counted(options.MaxOpenPerScope, "request")} with an idempotency key may be under way at once for one caller. "
        + "Nothing was carried out; repeat it later with the same key.", isRetryable: true, retryAfter: TimeSpan.FromSeconds(1));

    internal static Task TooManyKeysAsync(HttpContext context, IdempotencyEndpointOptions options, int max, TimeSpan retryAfter) => WriteAsync(
        context, options, StatusCodes.Status429TooManyRequests, "too-many-keys", "Too many keys of this caller are kept",
        $"At most {Counted(max, "key")} can be kept for one caller. Nothing was carried out; repeat it with the same key when an older one has expired.",
        isRetryable: true, retryAfter: retryAfter);

    private static string Counted(int count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");

    internal static Task BodyTooLargeAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status413PayloadTooLarge, "body-too-large", "The request is too large",
        $"A request with an idempotency key may have at most {options.MaxRequestBodyBytes} bytes here.");

    internal static Task NotKeptAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status409Conflict, "response-not-retained", "The request was carried out before",
        "Its response could not be kept. It is not carried out again.");

    /// <summary>The endpoint completed its key in a transaction that was rolled back, and answered as if it had been committed.</summary>
    internal static Task NotCommittedAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status503ServiceUnavailable, "not-committed", "The request was rolled back",
        "Nothing was carried out. Repeat the request later with the same key.", isRetryable: true, retryAfter: TimeSpan.FromSeconds(1));

    internal static Task OutcomePendingAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status503ServiceUnavailable, "outcome-pending", "It is not known yet whether the request was carried out",
        "Repeat it later with the same key: it is never carried out twice.", isRetryable: true, retryAfter: TimeSpan.FromSeconds(1));

    /// <summary>The connection is closed with it, so that the repetition can reach another node.</summary>
    private static Task StoppingAsync(HttpContext context, IdempotencyEndpointOptions options, TimeSpan retryAfter)
    {
        if (!HttpProtocol.IsHttp2(context.Request.Protocol) && !HttpProtocol.IsHttp3(context.Request.Protocol)) context.Response.Headers.Connection = "close";
        return WriteAsync(
            context, options, StatusCodes.Status503ServiceUnavailable, "stopping", "This instance of the service is stopping",
            "Nothing was carried out here. Repeat the request with the same key; another instance takes it.", isRetryable: true, retryAfter: retryAfter);
    }

    internal static Task UnreadableAsync(HttpContext context, IdempotencyEndpointOptions options) => WriteAsync(
        context, options, StatusCodes.Status409Conflict, "outcome-unreadable", "The stored response cannot be read",
        "The request was begun before and may have been carried out. It is not begun again; look up whether it was done.");

    internal static Task AnswerAsync(HttpContext context, IdempotencyEndpointOptions options, in IdempotencyResult entry) => entry.Status switch
    {
        IdempotencyStatus.InFlight => WriteAsync(
            context, options, StatusCodes.Status409Conflict, "in-flight", "The same request is being carried out", "Repeat it later with the same key.",
            isRetryable: true, retryAfter: entry.RetryAfter),
        IdempotencyStatus.KeyReused => WriteAsync(
            context, options, StatusCodes.Status422UnprocessableEntity, "key-reused", "The key was used for another request",
            "A key belongs to one request: the same method, address, content type and body. Use a new key for a new request."),
        IdempotencyStatus.OutcomeUnknown => WriteAsync(
            context, options, StatusCodes.Status409Conflict, "outcome-unknown", "The outcome of the request is unknown",
            "It was begun before and may have been carried out. It is not begun again; look up whether it was done."),
        IdempotencyStatus.Unreadable => UnreadableAsync(context, options),
        IdempotencyStatus.Stopping => StoppingAsync(context, options, entry.RetryAfter),
        _ when entry.Error is IdempotencyStoreException { Fault: IdempotencyStoreFault.Misconfigured } mistake => MisconfiguredAsync(
            context, options, SafeCalls.MessageOf(mistake)),
        _ => WriteAsync(
            context, options, StatusCodes.Status503ServiceUnavailable, "store-unavailable", "Idempotency keys cannot be checked at the moment",
            "Nothing was carried out. Repeat the request later with the same key.", isRetryable: true, retryAfter: entry.RetryAfter),
    };

    internal static async Task ReplayAsync(HttpContext context, HttpResponseRecord record, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        HttpResponse response = context.Response;
        response.StatusCode = record.Status;
        foreach (IGrouping<string, KeyValuePair<string, string>> header in headers.GroupBy(h => h.Key, StringComparer.OrdinalIgnoreCase))
            response.Headers[header.Key] = header.Select(h => h.Value).ToArray();
        response.Headers[ReplayedHeader] = "true";
        response.Headers.CacheControl = "no-store";
        if (!ResponseBody.MayFollow(record.Status)) return;
        response.ContentLength = record.Body.Length;
        await response.Body.WriteAsync(record.Body).ConfigureAwait(false);
    }
}
