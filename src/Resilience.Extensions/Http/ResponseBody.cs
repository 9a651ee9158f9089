using System.Net;
using System.Net.Http.Headers;
using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>What becomes of the body of a response whose headers have come: it is read within the attempt, bounded, or left alone.</summary>
internal static class ResponseBody
{
    /// <summary>What a client has by default: it holds where the total was taken away after it had been lifted.</summary>
    private static readonly TimeSpan LiftedTimeout = TimeSpan.FromSeconds(100);

    /// <summary>The connection has become something else, which both sides read and write: a WebSocket, a tunnel.</summary>
    internal static bool IsUpgraded(HttpRequestMessage request, HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.SwitchingProtocols || (request.Method == HttpMethod.Connect && response.IsSuccessStatusCode);

    /// <summary>A body that has no end of its own, and may be silent for long.</summary>
    /// <remarks>The headers are read as they came: parsing them makes objects, for each response.</remarks>
    internal static bool IsEventStream(HttpResponseMessage response)
    {
        ReadOnlySpan<char> type = TypeOf(response);
        return type.Equals("text/event-stream", StringComparison.OrdinalIgnoreCase)
            || type.Equals("multipart/x-mixed-replace", StringComparison.OrdinalIgnoreCase)
            || type.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>What <c>GetFromJsonAsync</c> reads, by what is said of it.</summary>
    private static bool IsJson(HttpResponseMessage response)
    {
        ReadOnlySpan<char> type = TypeOf(response);
        return type.Equals("application/json", StringComparison.OrdinalIgnoreCase)
            || type.Equals("text/json", StringComparison.OrdinalIgnoreCase)
            || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Without parameters; empty when it is not said, or more than once.</summary>
    private static ReadOnlySpan<char> TypeOf(HttpResponseMessage response)
    {
        if (!response.Content.Headers.NonValidated.TryGetValues("Content-Type", out HeaderStringValues came) || came.Count != 1) return default;
        ReadOnlySpan<char> type = came.ToString();
        int parameters = type.IndexOf(';');
        return (parameters >= 0 ? type[..parameters] : type).Trim();
    }

    /// <summary>Whether there is no body, so that nothing need be kept or bounded.</summary>
    internal static bool IsEmpty(HttpRequestMessage request, HttpResponseMessage response) =>
        request.Method == HttpMethod.Head || response.StatusCode is HttpStatusCode.NoContent or HttpStatusCode.NotModified
        || (response.Content.Headers.NonValidated.TryGetValues("Content-Length", out HeaderStringValues came)
            ? came.Count == 1 && came.ToString() == "0"
            : response.Content.Headers.ContentLength == 0);

    /// <summary>Has the attempt end with a response whose body is treated as the options say.</summary>
    /// <param name="response">What came.</param>
    /// <param name="request">The caller's request.</param>
    /// <param name="resilience">What the client shares.</param>
    /// <param name="overrides">What the request wants otherwise.</param>
    /// <param name="context">The attempt.</param>
    /// <param name="start">From when on the total counts for the body: when the call began, or when the headers of a long poll came.</param>
    internal static async ValueTask ReadAsync(
        HttpResponseMessage response,
        HttpRequestMessage request,
        HttpResilience resilience,
        HttpRequestOverrides? overrides,
        ResilienceContext context,
        long start)
    {
        HttpResilienceOptions options = resilience.Options;
        if (overrides is null && !resilience.TouchesBodies(options)) return; // the usual case: not even the headers are looked at
        if (IsUpgraded(request, response)) return;
        bool isStream = IsEventStream(response);
        if (overrides?.BufferResponse ?? (options.BufferResponses && !isStream))
        {
            long max = Math.Min(options.MaxBufferedResponseBytes, resilience.ClientBufferBytes);
            await context.WaitIfSynchronous(response.Content.LoadIntoBufferAsync(max, context.CancellationToken)).ConfigureAwait(false);
            return;
        }

        if (ResponseContent.IsInMemory(response.Content) || IsEmpty(request, response)) return;
        TimeSpan? total = resilience.BoundsBodies ? overrides?.TotalTimeout ?? resilience.TotalTimeout ?? LiftedTimeout : null;
        TimeSpan? idle = overrides?.ReadIdleTimeout ?? options.ReadIdleTimeout ?? (isStream ? null : total);
        TimeSpan? said = overrides?.BodyTimeout ?? options.BodyTimeout, end = said ?? total;
        if (idle <= TimeSpan.Zero) idle = null;
        if (end <= TimeSpan.Zero) end = null;
        PlaceHold? hold = resilience.HasPlaces ? new() : null;
        if (idle is null && end is null && hold is null) return;
        if (hold is not null) context.Set(PlaceHold.Property, hold);
        long? readBy = end is { } all ? start + (long)(all.TotalSeconds * resilience.Time.TimestampFrequency) : null;
        BodyBounds bounds = new(resilience.Time, idle, readBy, hold, options.HoldPlaceForStreams)
        {
            End = end ?? default,
            NameOfEnd = said is null ? "total-timeout" : "body-timeout",
            EndsStreams = overrides?.BodyTimeout is not null || (!isStream && end is not null && (said is not null || IsJson(response))),
        };
        response.Content = new IdleReadContent(response.Content, bounds);
    }
}
