namespace Resilience.Extensibility;

/// <summary>An exception that stands for a rejection although its type must be another one (an <c>HttpRequestException</c>, say). Pipelines
/// around it understand it as they do <see cref="ResilienceException"/>: <see cref="Verdict.Rejected"/>, with its time to come back.</summary>
public interface ICarriesRejection
{
    /// <summary>The rejection; null when the exception stands for something else.</summary>
    Rejection? Rejection { get; }

    /// <summary>How long from now it may be worth waiting, where that is known.</summary>
    TimeSpan? RetryAfter { get; }
}
