using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Resilience.Overload;

/// <summary>Answers in place of the endpoint: problem details (RFC 9457), or a status of gRPC.</summary>
internal static class RequestProblems
{
    internal const string ShouldRetryHeader = "X-Should-Retry", PushbackHeader = "grpc-retry-pushback-ms", NackHeader = "finagle-http-nonretryable-nack";

    private const string GrpcDeadlineExceeded = "4", GrpcUnavailable = "14";
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
        if (hasBegun) context.Response.Clear();
        else CloseIfUnread(context);
        return WriteAsync(context, new(
            options.StopStatusCode ?? options.ExpiredStatusCode, options.ProblemTypeBase, "deadline-expired", "The deadline has passed", detail,
            GrpcDeadlineExceeded, RetryAfter: null));
    }

    /// <summary>The server has too much to do. The body of the request is not touched.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">The status outside of gRPC.</param>
    /// <param name="typeBase">The beginning of the type.</param>
    /// <param name="retryAfter">When to come back; null: it is no use.</param>
    internal static Task OverloadedAsync(HttpContext context, int status, string typeBase, TimeSpan? retryAfter)
    {
        string detail = retryAfter is null
            ? "Nothing was done. The other instances of the service are probably overloaded too."
            : "Nothing was done. Repeat the request later.";
        CloseIfUnread(context);
        return WriteAsync(context, new(status, typeBase, "overloaded", "The service is overloaded", detail, GrpcUnavailable, retryAfter));
    }

    private static Task WriteAsync(HttpContext context, in Problem problem)
    {
        HttpResponse response = context.Response;
        response.Headers.CacheControl = "no-store";
        if (IsGrpc(context.Request))
        {
            // Without a body: the status stands in the headers ("trailers only").
            response.StatusCode = StatusCodes.Status200OK;
            response.ContentType = context.Request.ContentType;
            response.Headers.GrpcStatus = problem.GrpcStatus;
            response.Headers.GrpcMessage = problem.Detail;
            response.Headers[PushbackHeader] = ((long)(problem.RetryAfter?.TotalMilliseconds ?? -1)).ToString(CultureInfo.InvariantCulture);
            return Task.CompletedTask;
        }

        response.StatusCode = problem.Status;
        if (problem.RetryAfter is { } after) response.Headers.RetryAfter = ((long)after.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        else response.Headers[ShouldRetryHeader] = "false";
        response.ContentType = "application/problem+json";
        byte[] body = BodyOf(problem);
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body, 0, body.Length);
    }

    private static byte[] BodyOf(in Problem problem)
    {
        using MemoryStream body = new();
        using (Utf8JsonWriter json = new(body))
        {
            json.WriteStartObject();
            json.WriteString("type", problem.TypeBase + problem.Code);
            json.WriteString("title", problem.Title);
            json.WriteNumber("status", problem.Status);
            json.WriteString("detail", problem.Detail);
            json.WriteString("code", problem.Code);
            json.WriteBoolean("retryable", problem.RetryAfter is not null);
            json.WriteEndObject();
        }

        return body.ToArray();
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

    /// <param name="Status">Outside of gRPC.</param>
    /// <param name="TypeBase">The beginning of the type; the code follows.</param>
    /// <param name="Code">What kind of problem it is, as one word.</param>
    /// <param name="Title">The same for all of this kind.</param>
    /// <param name="Detail">What happened and what to do.</param>
    /// <param name="GrpcStatus">The status of gRPC.</param>
    /// <param name="RetryAfter">When to come back; null: the request is not to be repeated.</param>
    private readonly record struct Problem(
        int Status, string TypeBase, string Code, string Title, string Detail, string GrpcStatus, TimeSpan? RetryAfter);
}
