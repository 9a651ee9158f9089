namespace Resilience.Idempotency;

/// <summary>What the payload of a record holds.</summary>
/// <remarks>The numbers are stored: they must not change.</remarks>
public enum IdempotencyPayloadKind : byte
{
    /// <summary>Nothing that could be read.</summary>
    None = 0,

    /// <summary>A value, as the serializer wrote it.</summary>
    Value = 1,

    /// <summary>An error that is repeated as it is: the name of its type and its message.</summary>
    Error = 2,

    /// <summary>The operation was done, but its result was not kept (too large, or no result could be written).</summary>
    DoneWithoutResult = 3,

    /// <summary>An HTTP response.</summary>
    HttpResponse = 4,

    /// <summary>An answer of gRPC: status, trailers and message.</summary>
    GrpcAnswer = 5,
}
