namespace Resilience;

/// <summary>Base of the exceptions that stand for a refusal by one of our policies: the attempt that ended so did not ask the
/// dependency (an earlier one of the same call may have).</summary>
/// <remarks>An outer pipeline classifies it as <see cref="Verdict.Rejected"/>: it neither retries it nor counts it against the dependency.</remarks>
public class ResilienceException : Exception, ICarriesRefusal
{
    /// <summary>Creates the exception with a message and, optionally, a cause.</summary>
    public ResilienceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception for a refusal.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="refusal"/> is null.</exception>
    public ResilienceException(Refusal refusal)
        : base(MessageOf(refusal))
    {
        Refusal = refusal;
        RetryAfter = refusal.RetryAfter;
    }

    /// <summary>Who refused and why, where a policy made a refusal.</summary>
    public Refusal? Refusal { get; }

    /// <summary>The name of the policy that refused.</summary>
    public string? PolicyName => Refusal?.PolicyName;

    /// <summary>How long after the refusal it may be worth trying again, where that was known.</summary>
    public TimeSpan? RetryAfter { get; protected init; }

    private static string MessageOf(Refusal refusal)
    {
        ArgumentNullException.ThrowIfNull(refusal);
        return refusal.Reason;
    }
}
