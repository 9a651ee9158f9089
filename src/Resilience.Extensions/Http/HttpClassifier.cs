using System.Globalization;
using System.Net;
using System.Security.Authentication;

namespace Resilience;

/// <summary>What answers and errors of HTTP mean.</summary>
/// <remarks>
/// A status is a <see cref="Verdict.Failure"/> if a later attempt may fare better: 408, 429 and 5xx but for 501, 505 and 511; and 409 if
/// it says that the first attempt with the same idempotency key is still under way. Other errors of the caller (4xx, and the
/// three above) are <see cref="Verdict.Ignored"/>, and so is every status from 400 on with <c>X-Should-Retry: false</c>; everything below 400 a <see cref="Verdict.Success"/>. Exceptions are judged by
/// <see cref="HttpRequestException.HttpRequestError"/>: certificates, credentials and limits of configuration do not heal.
/// </remarks>
public static class HttpClassifier
{
    /// <summary>Set on an attempt's message when its 409 may pass.</summary>
    internal static readonly HttpRequestOptionsKey<bool> IsInFlight = new("Resilience.InFlight");

    private static readonly string[] MillisecondHeaders = ["retry-after-ms", "x-ms-retry-after-ms"];

    /// <summary>By which servers say so: those of ours and the OpenAI and Anthropic services, and Stripe.</summary>
    private static readonly string[] DoNotRetryHeaders = ["X-Should-Retry", "Stripe-Should-Retry"];

    /// <summary>The rules above, with names of statuses and the reading of <c>Retry-After</c>.</summary>
    public static OutcomeClassifier Default { get; } = OutcomeClassifier.Default
        .OnResult<HttpResponseMessage>(static response => VerdictOf(response))
        .On<HttpRequestException>(static exception => VerdictOf(exception))
        .NameResult<HttpResponseMessage>(static response => ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture))
        .NameException<HttpRequestException>(static exception => NameOf(exception))
        .RetryAfterResult<HttpResponseMessage>(ReadRetryAfter);

    /// <summary>Whether a status means that a later attempt may fare better.</summary>
    public static bool IsTransient(HttpStatusCode status) => (int)status is 408 or 429 or (>= 500 and not (501 or 505 or 511));

    /// <summary>Whether this exception says that the request cannot have reached the server's application, so that sending it again does
    /// no harm whatever its method: no name, no connection, no tunnel, no TLS session.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="exception"/> is null.</exception>
    public static bool IsSafeBeforeSend(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return exception switch
        {
            HttpRequestException { StatusCode: not null } => false,
            HttpRequestException http => http.HttpRequestError
                is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
                or HttpRequestError.ProxyTunnelError or HttpRequestError.SecureConnectionError,

            // How SocketsHttpHandler says that ConnectTimeout has passed. HttpClient.Timeout looks alike but carries a cancellation inside.
            OperationCanceledException { InnerException: TimeoutException timeout } => timeout.InnerException is not OperationCanceledException,
            _ => false,
        };
    }

    /// <summary>When the response says to come back, measured on the given clock: <c>retry-after-ms</c> or <c>x-ms-retry-after-ms</c> (Azure,
    /// OpenAI), or else <c>Retry-After</c> in seconds or as a date. Null when nothing is said that can be read; zero, and a date that has
    /// passed, say nothing.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TimeSpan? ReadRetryAfter(HttpResponseMessage response, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentNullException.ThrowIfNull(time);
        foreach (string header in MillisecondHeaders)
        {
            if (response.Headers.NonValidated.TryGetValues(header, out System.Net.Http.Headers.HeaderStringValues values)
                && ReadMilliseconds(values.ToString()) is { } exact) return exact;
        }

        if (response.Headers.RetryAfter is not { } said) return null;
        TimeSpan? left = said.Delta ?? (said.Date - time.GetUtcNow());
        return left > TimeSpan.Zero ? left : null;
    }

    private static TimeSpan? ReadMilliseconds(string text)
    {
        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out double milliseconds) || !(milliseconds > 0)) return null;
        return milliseconds < int.MaxValue * 1000.0 ? TimeSpan.FromMilliseconds(Math.Ceiling(milliseconds)) : TimeSpan.MaxValue;
    }

    private static Verdict VerdictOf(HttpResponseMessage response)
    {
        int status = (int)response.StatusCode;
        if (status < 400) return Verdict.Success;
        if (SaysDoNotRetry(response)) return Verdict.Ignored;
        if (status == 409) return response.RequestMessage is { } request && request.Options.TryGetValue(IsInFlight, out bool mayPass) && mayPass
            ? Verdict.Failure
            : Verdict.Ignored;
        return IsTransient(response.StatusCode) ? Verdict.Failure : Verdict.Ignored;
    }

    /// <summary>The server knows that a later attempt fares no better (a mistake in its configuration, say).</summary>
    private static bool SaysDoNotRetry(HttpResponseMessage response) =>
        DoNotRetryHeaders.Any(name => response.Headers.NonValidated.TryGetValues(name, out System.Net.Http.Headers.HeaderStringValues said)
            && said.ToString().Trim().Equals("false", StringComparison.OrdinalIgnoreCase));

    private static Verdict? VerdictOf(HttpRequestException exception) => exception switch
    {
        HttpResilienceException { Refusal: not null } => Verdict.Rejected,
        { StatusCode: { } status } => IsTransient(status) ? Verdict.Failure : Verdict.Ignored,
        { HttpRequestError: HttpRequestError.SecureConnectionError } => HasAuthenticationError(exception) ? Verdict.Ignored : Verdict.Failure,
        {
            HttpRequestError: HttpRequestError.UserAuthenticationError or HttpRequestError.ConfigurationLimitExceeded
            or HttpRequestError.VersionNegotiationError or HttpRequestError.ExtendedConnectNotSupported
        } => Verdict.Ignored,
        _ => Verdict.Failure,
    };

    /// <summary>As the framework's own metrics name them.</summary>
    private static string? NameOf(HttpRequestException exception) => exception.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => "name_resolution_error",
        HttpRequestError.ConnectionError => "connection_error",
        HttpRequestError.SecureConnectionError => "secure_connection_error",
        HttpRequestError.HttpProtocolError => "http_protocol_error",
        HttpRequestError.ExtendedConnectNotSupported => "extended_connect_not_supported",
        HttpRequestError.VersionNegotiationError => "version_negotiation_error",
        HttpRequestError.UserAuthenticationError => "user_authentication_error",
        HttpRequestError.ProxyTunnelError => "proxy_tunnel_error",
        HttpRequestError.InvalidResponse => "invalid_response",
        HttpRequestError.ResponseEnded => "response_ended",
        HttpRequestError.ConfigurationLimitExceeded => "configuration_limit_exceeded",
        _ => exception.StatusCode is { } status ? ((int)status).ToString(CultureInfo.InvariantCulture) : null,
    };

    /// <summary>A certificate that does not fit, not a handshake that was cut off.</summary>
    private static bool HasAuthenticationError(Exception exception)
    {
        for (Exception? inner = exception.InnerException; inner is not null; inner = inner.InnerException)
        {
            if (inner is AuthenticationException) return true;
        }

        return false;
    }
}
