using System.Net.Sockets;
using System.Security.Authentication;

namespace Resilience;

/// <summary>What the errors of <see cref="HttpClient"/> mean, by status or by kind.</summary>
internal static class HttpVerdicts
{
    internal static Classification OfStatus(int status) => status switch
    {
        429 => Classification.Throttled(),
        503 => Classification.Overloaded,
        408 => Verdict.Failure,
        501 or 505 or 511 => Verdict.Ignored,
        >= 500 => Verdict.Failure,
        _ => Verdict.Ignored,
    };

    internal static Classification Of(HttpRequestException exception) => exception switch
    {
        { StatusCode: { } status } => OfStatus((int)status),
        { HttpRequestError: HttpRequestError.SecureConnectionError } =>
            // A certificate that does not fit, not a handshake that was cut off.
            DefaultVerdicts.Inside<AuthenticationException>(exception) is null ? Verdict.Failure : Verdict.Ignored,
        {
            HttpRequestError: HttpRequestError.UserAuthenticationError or HttpRequestError.ConfigurationLimitExceeded
            or HttpRequestError.VersionNegotiationError or HttpRequestError.ExtendedConnectNotSupported
        } => Verdict.Ignored,
        _ => DefaultVerdicts.Inside<SocketException>(exception) is { } socket && DefaultVerdicts.OfSocket(socket.SocketErrorCode) is { Counts: false } ours
            ? ours
            : Verdict.Failure,
    };
}
