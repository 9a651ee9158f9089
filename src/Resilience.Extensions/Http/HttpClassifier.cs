using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Resilience.Http;

/// <summary>What answers and errors of HTTP mean: the table between the user's rules and the defaults.</summary>
/// <remarks>
/// <para>A status is a <see cref="Verdict.Failure"/> if a later attempt may fare better: 408, 429 and 5xx but for 501, 505 and 511; and 409 if
/// it says that the first attempt with the same idempotency key is still under way. Other errors of the caller (4xx, and the
/// three above) are <see cref="Verdict.Ignored"/>, everything below 400 a <see cref="Verdict.Success"/>. 429 and such a 409 are not counted:
/// the server is well and asks for patience. <c>X-Should-Retry</c> and <c>Stripe-Should-Retry</c> override: <c>true</c> makes an error
/// a failure, <c>false</c> keeps it from being repeated, as <c>finagle-http-nonretryable-nack</c> does.</para>
/// <para>Exceptions are judged by the defaults of <see cref="OutcomeClassifier"/>, by <see cref="HttpRequestException.StatusCode"/> or
/// <see cref="HttpRequestException.HttpRequestError"/>: certificates, credentials and limits of configuration do not heal.</para>
/// </remarks>
public static class HttpClassifier
{
    private const string TableName = "HTTP";

    /// <summary>Set on an attempt's message when its 409 may pass.</summary>
    internal static readonly HttpRequestOptionsKey<bool> IsInFlight = new("Resilience.InFlight");

    /// <summary>Set on an attempt's message when its host is not believed that says "do not retry".</summary>
    internal static readonly HttpRequestOptionsKey<bool> IsNotHonored = new("Resilience.NotHonored");

    /// <summary>The policy that is named as the source when a long poll's own time was up.</summary>
    internal const string LongPollPolicy = "long-poll";

    private static readonly string[] MillisecondHeaders = ["retry-after-ms", "x-ms-retry-after-ms"];

    /// <summary>By which servers say whether to come back: those of ours and the OpenAI and Anthropic services, and Stripe.</summary>
    private static readonly string[] ShouldRetryHeaders = ["X-Should-Retry", "Stripe-Should-Retry"];

    /// <summary>A server of Finagle says that nothing was done and nothing shall be tried again; the value has no meaning.</summary>
    private const string FinagleNack = "finagle-http-nonretryable-nack";

    /// <summary>The table above alone, with names of statuses and the reading of <c>Retry-After</c>.</summary>
    public static OutcomeClassifier Default { get; } = OutcomeClassifier.Default.Http();

    /// <summary>Adds the table to rules of your own, which are asked before it wherever they are written.</summary>
    /// <param name="rules">The rules.</param>
    /// <param name="throttlingCounts">Whether 429 speaks against the health of the server, so that breakers count it. Default false.</param>
    /// <exception cref="ArgumentNullException"><paramref name="rules"/> is null.</exception>
    public static OutcomeClassifier Http(this OutcomeClassifier rules, bool throttlingCounts = false)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return rules.Table(TableName, table => (throttlingCounts ? table.On<HttpRequestException>(ThrottlingAsFailure) : table)
            .OnResult<HttpResponseMessage>(throttlingCounts ? JudgeCounting : Judge)
            .On<TimedOutException>(static exception => exception.PolicyName == LongPollPolicy ? Verdict.Ignored : null)
            .NameResult<HttpResponseMessage>(static response => ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture))
            .NameException<HttpRequestException>(static exception => NameOf(exception))
            .RetryAfterResult<HttpResponseMessage>(ReadRetryAfter));
    }

    /// <summary>Whether a status means that a later attempt may fare better.</summary>
    public static bool IsTransient(HttpStatusCode status) => (int)status is 408 or 429 or (>= 500 and not (501 or 505 or 511));

    /// <summary>Whether this exception says, by its type, that no connection came about: no name, no connection, no tunnel, no TLS session.</summary>
    /// <remarks>It proves nothing. The connection may have been the second one, to which a redirect led after the server had executed the
    /// request, and an inner handler may throw what it likes. <see cref="SendRules.ProveUnsent"/> has the proof.</remarks>
    internal static bool SaysNoConnection(Exception exception) => exception switch
    {
        HttpRequestException { StatusCode: not null } => false,
        HttpRequestException http => http.HttpRequestError
            is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError
            or HttpRequestError.ProxyTunnelError or HttpRequestError.SecureConnectionError,

        // How SocketsHttpHandler says that ConnectTimeout has passed. HttpClient.Timeout looks alike but carries a cancellation inside.
        OperationCanceledException { InnerException: TimeoutException timeout } => timeout.InnerException is not OperationCanceledException,
        _ => false,
    };

    /// <summary>When the response says to come back, measured on the given clock: <c>retry-after-ms</c> or <c>x-ms-retry-after-ms</c> (Azure,
    /// OpenAI), or else <c>Retry-After</c> in seconds or as a date, measured from the <c>Date</c> of the response where it has one. Null when
    /// there is no value that can be read; zero, and a date that has passed, count as none.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TimeSpan? ReadRetryAfter(HttpResponseMessage response, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentNullException.ThrowIfNull(time);
        foreach (string header in MillisecondHeaders)
        {
            if (response.Headers.NonValidated.TryGetValues(header, out HeaderStringValues values)
                && ReadMilliseconds(values.ToString(), 1) is { } exact) return exact;
        }

        if (!response.Headers.NonValidated.TryGetValues("Retry-After", out HeaderStringValues said)) return null;
        TimeSpan? left = said.Count == 1 && response.Headers.RetryAfter is { } parsed ? LeftOf(parsed, response, time) : ReadSeveral(said, response, time);
        return left > TimeSpan.Zero ? left : null;
    }

    /// <summary>What the server takes for now: a date that it names is one of its own clock, which may go wrong by hours, as may ours. A cache adds for how
    /// long it has had the answer.</summary>
    private static DateTimeOffset NowOf(HttpResponseMessage response, TimeProvider time) =>
        response.Headers.Date is { } date ? Later(date, response.Headers.Age ?? TimeSpan.Zero) : time.GetUtcNow();

    private static DateTimeOffset Later(DateTimeOffset date, TimeSpan span) => span < DateTimeOffset.MaxValue - date ? date + span : DateTimeOffset.MaxValue;

    private static TimeSpan LeftOf(RetryConditionHeaderValue said, HttpResponseMessage response, TimeProvider time) =>
        said.Delta ?? said.Date!.Value - NowOf(response, time);

    /// <summary>What the framework's parser rejects and is meant well: fractions, more seconds than an <see cref="int"/> holds; and of what is said more
    /// than once, by a proxy and by the server, the longest wait. The parser takes the first.</summary>
    private static TimeSpan? ReadSeveral(HeaderStringValues values, HttpResponseMessage response, TimeProvider time)
    {
        TimeSpan? longest = null;
        foreach (string value in values)
        {
            bool isParsed = RetryConditionHeaderValue.TryParse(value, out RetryConditionHeaderValue? parsed);
            TimeSpan? one = isParsed ? LeftOf(parsed!, response, time) : ReadSeconds(value);
            if (longest is null || one > longest) longest = one;
        }

        return longest;
    }

    private static TimeSpan? ReadSeconds(string value)
    {
        TimeSpan? longest = null;
        foreach (Range part in value.AsSpan().Split(','))
        {
            if (ReadMilliseconds(value.AsSpan(part), 1000) is not { } one) return null;
            if (longest is null || one > longest) longest = one;
        }

        return longest;
    }

    private static TimeSpan? ReadMilliseconds(ReadOnlySpan<char> text, int scale)
    {
        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out double milliseconds) || !(milliseconds > 0)) return null;
        milliseconds *= scale;
        return milliseconds <= int.MaxValue * 1000.0 ? TimeSpan.FromMilliseconds(Math.Ceiling(milliseconds)) : TimeSpan.MaxValue;
    }

    private static Classification? Judge(HttpResponseMessage response)
    {
        int status = (int)response.StatusCode;
        if (status < 400) return Verdict.Success;
        Classification byStatus = OfError(response, status);
        return SaidOf(response) switch
        {
            true => byStatus.Verdict == Verdict.Failure ? byStatus : new Classification(Verdict.Failure) { Counts = false },
            false => byStatus with { MayRepeat = false }, // a mistake in its configuration, say
            null => byStatus,
        };
    }

    /// <summary>Whether an error asks not to be repeated, and is believed.</summary>
    internal static bool SaysDoNotRetry(HttpResponseMessage response) => SaidOf(response) == false;

    private static bool? SaidOf(HttpResponseMessage response)
    {
        if (response.RequestMessage?.Options is { } options && options.TryGetValue(IsNotHonored, out bool isNotHonored) && isNotHonored) return null;
        if (response.Headers.NonValidated.Contains(FinagleNack)) return false;
        foreach (string name in ShouldRetryHeaders)
        {
            if (!response.Headers.NonValidated.TryGetValues(name, out HeaderStringValues values)) continue;
            if (bool.TryParse(values.ToString().Trim(), out bool said)) return said;
        }

        return null;
    }

    private static Classification? JudgeCounting(HttpResponseMessage response) =>
        response.StatusCode == HttpStatusCode.TooManyRequests ? Judge(response)!.Value with { Counts = true } : Judge(response);

    private static Classification? ThrottlingAsFailure(HttpRequestException exception) =>
        exception.StatusCode == HttpStatusCode.TooManyRequests ? Verdict.Failure : default(Classification?);

    private static Classification OfError(HttpResponseMessage response, int status) => status switch
    {
        429 => Classification.Throttled(),
        409 when response.RequestMessage is { } request && request.Options.TryGetValue(IsInFlight, out bool mayPass) && mayPass => Classification.Throttled(),
        503 => new Classification(Verdict.Failure) { IsOverload = true },
        _ => IsTransient(response.StatusCode) ? Verdict.Failure : Verdict.Ignored,
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
}
