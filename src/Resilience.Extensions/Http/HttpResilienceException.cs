using Resilience.Extensibility;

namespace Resilience.Http;

/// <summary>A policy rejected the request or ran out of time: what callers of <see cref="HttpClient"/> get, who know only
/// <see cref="HttpRequestException"/>. Errors of the network come through as they are; their history is in <see cref="HttpAttempts"/>.</summary>
public sealed class HttpResilienceException : HttpRequestException, ICarriesRejection
{
    internal HttpResilienceException(string message, Exception inner, Rejection? rejection, TimeSpan? retryAfter, IReadOnlyList<HttpAttempt> attempts)
        : base(HttpRequestError.Unknown, message, inner)
    {
        Rejection = rejection;
        RetryAfter = retryAfter;
        Attempts = attempts;
    }

    /// <summary>Who rejected and why; null for a timeout.</summary>
    public Rejection? Rejection { get; }

    /// <summary>How long after the rejection it may be worth trying again, where that was known.</summary>
    public TimeSpan? RetryAfter { get; }

    /// <summary>True when a timeout of ours ended the call; the <see cref="TimedOutException"/> is the inner exception. Whether the
    /// server did the operation is unknown.</summary>
    public bool IsTimeout => InnerException is TimedOutException;

    /// <summary>The attempts that were made before; empty when the request was never sent.</summary>
    public IReadOnlyList<HttpAttempt> Attempts { get; }
}
