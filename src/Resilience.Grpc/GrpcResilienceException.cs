using Grpc.Core;
using Resilience.Extensibility;

namespace Resilience.Grpc;

/// <summary>A policy rejected the call or ran out of time: what callers of gRPC get, who know only <see cref="RpcException"/>. An open circuit is
/// <c>UNAVAILABLE</c>, a limit <c>RESOURCE_EXHAUSTED</c>, a timeout or a deadline <c>DEADLINE_EXCEEDED</c>. What the server or the transport said comes
/// through as it is.</summary>
/// <remarks>Pipelines around it understand a rejection as such: they neither repeat nor count it.</remarks>
public sealed class GrpcResilienceException : RpcException, ICarriesRejection
{
    internal GrpcResilienceException(StatusCode code, string message, Exception inner, Rejection? rejection, TimeSpan? retryAfter)
        : base(new Status(code, message, inner), [], message)
    {
        Rejection = rejection;
        RetryAfter = retryAfter;
    }

    /// <summary>Who rejected and why; null for a timeout.</summary>
    public Rejection? Rejection { get; }

    /// <summary>How long after the rejection it may be worth trying again, where that was known.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>True when a timeout of ours or the caller's deadline ended the call; the <see cref="TimedOutException"/> is the inner exception. Whether the
    /// server did the operation is unknown.</summary>
    public bool IsTimeout => InnerException is TimedOutException;
}
