using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Resilience.Overload;

/// <summary>Answers in place of the endpoint: problem details (RFC 9457), or a status of gRPC.</summary>
internal static class RequestProblems
{
    internal const string ShouldRetryHeader = "X-Should-Retry", PushbackHeader = "grpc-retry-pushback-ms", NackHeader = "finagle-http-nonretryable-nack";

    private const string GrpcDeadlineExceeded = "4";
    private const long MaxUnreadBody = 64 * 1024; // what is worth reading to keep a connection

    /// <summary>Whether it is a call of gRPC, also of gRPC-Web.</summary>
    internal static bool IsGrpc(HttpRequest request) =>
        request.ContentType is { } type && type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase);

    /// <summary>The time of the request is up. The body of the request is not touched.</summary>
    internal static Task ExpiredAsync(HttpContext context, RequestDeadlineOptions options, bool hasBegun)
    {
        string detail = hasBegun
            ? "The time that the caller allows was up before there was an answer. What had begun may have been done."
            : "The time that the caller allows was up, or too short, when the request came. Nothing was done.";
        HttpResponse response = context.Response;
        if (hasBegun) response.Clear();
        else CloseIfUnread(context);
        response.Headers.CacheControl = "no-store";
        if (IsGrpc(context.Request))
        {
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = context.Request.ContentType;
            response.Headers.GrpcStatus = GrpcDeadlineExceeded;
            response.Headers.GrpcMessage = detail;
            response.Headers[PushbackHeader] = "-1";
            return Task.CompletedTask;
        }

        response.StatusCode = options.StopStatusCode ?? options.ExpiredStatusCode;
        response.Headers[ShouldRetryHeader] = "false";
        response.ContentType = "application/problem+json";
        using MemoryStream body = new();
        using (Utf8JsonWriter json = new(body))
        {
            json.WriteStartObject();
            json.WriteString("type", options.ProblemTypeBase + "deadline-expired");
            json.WriteString("title", "The deadline has passed");
            json.WriteNumber("status", response.StatusCode);
            json.WriteString("detail", detail);
            json.WriteBoolean("retryable", false);
            json.WriteEndObject();
        }

        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body.ToArray()).AsTask();
    }

    /// <summary>A large body that is not read would stall the connection of HTTP/1.1.</summary>
    private static void CloseIfUnread(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (HttpProtocol.IsHttp2(request.Protocol) || HttpProtocol.IsHttp3(request.Protocol)) return;
        bool isChunked = request.Headers.ContainsKey(HeaderNames.TransferEncoding);
        if (isChunked || request.ContentLength > MaxUnreadBody) context.Response.Headers.Connection = "close";
    }

    /// <summary>Whether an answer is an error that callers may take for one that passes. Other statuses are the caller's own mistake.</summary>
    internal static bool MayBeRepeated(int status) => status is >= 500 or 408 or 429;

    /// <summary>Whether a status of gRPC, as it is written, is an error.</summary>
    internal static bool IsGrpcError(string? status) =>
        int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code != 0;
}
