namespace Resilience;

/// <summary>A timeout policy ended an attempt or a call. A <see cref="TimeoutException"/>, so existing catch blocks work.</summary>
/// <remarks>
/// It is a <see cref="Verdict.Failure"/>, not a rejection: the dependency was asked, and whether it did the operation is unknown. If it
/// was not the policy's time that was up but the caller's own deadline (<see cref="CallOptions.Deadline"/>), it is <see cref="Verdict.Ignored"/>.
/// </remarks>
public sealed class TimedOutException : TimeoutException
{
    /// <summary>Creates the exception.</summary>
    /// <param name="policyName">The timeout policy.</param>
    /// <param name="timeout">How long it allowed.</param>
    /// <param name="innerException">What the delegate threw when it was cancelled.</param>
    public TimedOutException(string policyName, TimeSpan timeout, Exception? innerException = null)
        : base($"{policyName}: no answer within {TimeText.Of(timeout)}.", innerException)
    {
        PolicyName = policyName;
        Timeout = timeout;
    }

    /// <summary>What cut the attempt, where it is known at the bottom of the chain already; the policy that owns it takes the exception up.</summary>
    internal object? CutBy { get; init; }

    /// <summary>The timeout policy.</summary>
    public string PolicyName { get; }

    /// <summary>How long it allowed.</summary>
    public TimeSpan Timeout { get; }
}
