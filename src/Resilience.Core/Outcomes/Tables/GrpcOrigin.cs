namespace Resilience.Transports;

/// <summary>What a client knows of where a gRPC status comes from.</summary>
public enum GrpcOrigin
{
    /// <summary>The server or a proxy said so, or it is not known.</summary>
    Server = 0,

    /// <summary>The time of this attempt is over, that of the call is not.</summary>
    AttemptDeadline = 1,

    /// <summary>The transport broke: there is an error of input and output, or of HTTP, inside.</summary>
    Transport = 2,

    /// <summary>No connection was made, so nothing was sent.</summary>
    NoConnection = 3,
}
