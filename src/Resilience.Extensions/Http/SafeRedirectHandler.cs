using System.Net;

namespace Resilience.Http;

/// <summary>Follows redirects as <see cref="SocketsHttpHandler"/> does, and takes idempotency key, credentials and cookies off when another
/// origin is next: they were meant for the first. It stands innermost, above a handler that does not follow redirects itself.</summary>
public sealed class SafeRedirectHandler : DelegatingHandler
{
    /// <summary>Set on the message of an attempt whose key did not reach the server that answered.</summary>
    internal static readonly HttpRequestOptionsKey<bool> HasLostKey = new("Resilience.HasLostKey");

    private static readonly string[] AlwaysDropped =
    [
        "Authorization", "Cookie", "Proxy-Authorization",
        RequestPropagation.TimeoutHeader, RequestPropagation.CriticalityHeader, RequestPropagation.AttemptHeader,
    ];

    private readonly string _keyHeader;
    private readonly int _maxRedirects;

    /// <summary>A handler whose inner handler is set later.</summary>
    /// <param name="keyHeader">The header of the idempotency key.</param>
    /// <param name="maxRedirects">After so many the redirect itself is the answer; 1 or more. Default 50.</param>
    /// <exception cref="ArgumentException"><paramref name="keyHeader"/> is null or empty.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxRedirects"/> is less than 1.</exception>
    public SafeRedirectHandler(string keyHeader = IdempotencyKeyOptions.DefaultHeader, int maxRedirects = 50)
    {
        ArgumentException.ThrowIfNullOrEmpty(keyHeader);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxRedirects, 1);
        _keyHeader = keyHeader;
        _maxRedirects = maxRedirects;
    }

    /// <inheritdoc cref="SafeRedirectHandler(string, int)"/>
    /// <summary>A handler around another, which must not follow redirects itself.</summary>
    /// <param name="inner">The inner handler.</param>
    /// <param name="keyHeader">The header of the idempotency key.</param>
    /// <param name="maxRedirects">After so many the redirect itself is the answer; 1 or more. Default 50.</param>
    public SafeRedirectHandler(HttpMessageHandler inner, string keyHeader = IdempotencyKeyOptions.DefaultHeader, int maxRedirects = 50)
        : this(keyHeader, maxRedirects) => InnerHandler = inner;

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        HttpResponseMessage response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        for (int count = 0; count < _maxRedirects && Next(request, response) is { } next; count++)
        {
            Turn(request, response, next);
            response.Dispose();
            response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        }

        return response;
    }

    /// <inheritdoc/>
    protected override HttpResponseMessage Send(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        HttpResponseMessage response = base.Send(request, cancellationToken);
        for (int count = 0; count < _maxRedirects && Next(request, response) is { } next; count++)
        {
            Turn(request, response, next);
            response.Dispose();
            response = base.Send(request, cancellationToken);
        }

        return response;
    }

    /// <summary>Where the answer sends us; null when it does not, or when we do not go there.</summary>
    private static Uri? Next(HttpRequestMessage request, HttpResponseMessage response)
    {
        if (response.StatusCode is not (HttpStatusCode.MultipleChoices or HttpStatusCode.MovedPermanently or HttpStatusCode.Found
            or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)) return null;
        if (response.Headers.Location is not { } location || request.RequestUri is not { } asked) return null;
        Uri next = location.IsAbsoluteUri ? location : new(asked, location);
        if (next.Scheme != Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttp) return null;
        if (asked.Scheme == Uri.UriSchemeHttps && next.Scheme == Uri.UriSchemeHttp) return null;
        return asked.Fragment.Length > 0 && next.Fragment.Length == 0 ? new UriBuilder(next) { Fragment = asked.Fragment }.Uri : next;
    }

    private void Turn(HttpRequestMessage request, HttpResponseMessage response, Uri next)
    {
        request.Headers.Authorization = null; // as SocketsHttpHandler does, whatever is next
        if (!IsSameOrigin(request.RequestUri!, next))
        {
            foreach (string header in AlwaysDropped) request.Headers.Remove(header);
            if (request.Headers.Remove(_keyHeader)) request.Options.Set(HasLostKey, true);
        }

        request.RequestUri = next;
        bool becomesGet = response.StatusCode switch
        {
            HttpStatusCode.SeeOther => request.Method != HttpMethod.Get && request.Method != HttpMethod.Head,
            HttpStatusCode.MultipleChoices or HttpStatusCode.MovedPermanently or HttpStatusCode.Found => request.Method == HttpMethod.Post,
            _ => false,
        };
        if (!becomesGet) return;
        request.Method = HttpMethod.Get;
        request.Content = null;
        request.Headers.TransferEncodingChunked = false;
    }

    private static bool IsSameOrigin(Uri from, Uri to) =>
        from.Scheme == to.Scheme && from.Port == to.Port && string.Equals(from.IdnHost, to.IdnHost, StringComparison.OrdinalIgnoreCase);
}
