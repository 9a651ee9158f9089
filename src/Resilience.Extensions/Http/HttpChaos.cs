using System.Net;
using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>Chaos as it looks to the client of an HTTP server.</summary>
public static class HttpChaos
{
    private static readonly HttpStatusCode[] Statuses =
        [HttpStatusCode.InternalServerError, HttpStatusCode.ServiceUnavailable, HttpStatusCode.TooManyRequests];

    private static readonly ResilienceProperty<HttpRequestMessage> RequestProperty = new("Resilience.HttpChaos.Request");

    /// <summary>Makes faults connections that are rejected (nothing was sent), lost replies connections that end before the answer (something
    /// was), and results answers of 500, 503 and 429 in turn, the latter two with <c>Retry-After</c>.</summary>
    /// <param name="options">The options of the chaos.</param>
    /// <param name="retryAfter">What the answers say, in whole seconds. Default 1 s.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="retryAfter"/> is negative.</exception>
    public static ChaosOptions UseHttpFaults(this ChaosOptions options, TimeSpan? retryAfter = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        TimeSpan wait = retryAfter ?? TimeSpan.FromSeconds(1);
        ArgumentOutOfRangeException.ThrowIfLessThan(wait, TimeSpan.Zero, nameof(retryAfter));
        int count = -1;
        options.Fault = static _ => new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused (injected by chaos).");
        options.LostReply = static _ => new HttpRequestException(HttpRequestError.ResponseEnded, "Connection reset before the answer (injected by chaos).");
        return options.Result(context => Answer(Statuses[(uint)Interlocked.Increment(ref count) % (uint)Statuses.Length], wait, RequestOf(context)));
    }

    /// <summary>The request of a call, for filters and factories of a client's chaos; null for calls of other pipelines.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    public static HttpRequestMessage? RequestOf(ResilienceContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.TryGet(RequestProperty, out HttpRequestMessage? request) ? request : null;
    }

    internal static CallOptions OptionsOf(HttpRequestMessage request) =>
        new(request.Method.Method) { Properties = new CallProperties().With(RequestProperty, request) };

    private static HttpResponseMessage Answer(HttpStatusCode status, TimeSpan retryAfter, HttpRequestMessage? request)
    {
        HttpResponseMessage response = new(status) { ReasonPhrase = "Injected by chaos", RequestMessage = request };
        if (status != HttpStatusCode.InternalServerError) response.Headers.RetryAfter = new RetryConditionHeaderValue(retryAfter);
        return response;
    }
}
