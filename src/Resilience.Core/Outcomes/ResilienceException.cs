using Resilience.Extensibility;

namespace Resilience;

/// <summary>Base of the exceptions that stand for a rejection by one of our policies: the attempt that ended so did not ask the
/// dependency (an earlier one of the same call may have).</summary>
/// <remarks>An outer pipeline classifies it as <see cref="Verdict.Rejected"/>: it neither retries it nor counts it against the dependency.</remarks>
public class ResilienceException : Exception, ICarriesRejection
{
    /// <summary>Creates the exception with a message and, optionally, a cause.</summary>
    public ResilienceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception for a rejection.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="rejection"/> is null.</exception>
    public ResilienceException(Rejection rejection)
        : base(MessageOf(rejection))
    {
        Rejection = rejection;
        RetryAfter = rejection.RetryAfter;
    }

    /// <summary>Who rejected and why, where a policy made a rejection.</summary>
    public Rejection? Rejection { get; }

    /// <summary>The name of the policy that rejected.</summary>
    public string? PolicyName => Rejection?.PolicyName;

    /// <summary>How long after the rejection it may be worth trying again, where that was known.</summary>
    public TimeSpan? RetryAfter { get; protected init; }

    private static string MessageOf(Rejection rejection)
    {
        ArgumentNullException.ThrowIfNull(rejection);
        return rejection.Reason;
    }
}
