using Grpc.Core;

namespace Resilience.Grpc;

/// <summary>What <see cref="GrpcIdempotencyOptions.Reconcile"/> found out about a call whose outcome is unknown. Immutable.</summary>
public sealed class GrpcIdempotencyFinding
{
    private GrpcIdempotencyFinding(object? response, Metadata trailers) => (Response, Trailers) = (response, trailers);

    /// <summary>It was not done, and what had begun it runs no more: it is executed now.</summary>
    public static GrpcIdempotencyFinding NotDone { get; } = new(null, Metadata.Empty);

    /// <summary>The response message of what was done; null when it was not done.</summary>
    public object? Response { get; }

    /// <summary>The trailers of what was done.</summary>
    public Metadata Trailers { get; }

    /// <summary>It was done; this is recorded as its response, and sent now and to every further duplicate.</summary>
    /// <param name="response">The response message, of the type of the method's response.</param>
    /// <param name="trailers">The trailers of the method. Default: none.</param>
    /// <exception cref="ArgumentNullException"><paramref name="response"/> is null.</exception>
    public static GrpcIdempotencyFinding Done(object response, Metadata? trailers = null)
    {
        ArgumentNullException.ThrowIfNull(response);
        return new(response, trailers ?? Metadata.Empty);
    }
}
