namespace Resilience;

/// <summary>A policy of ours said no: who, why, since when, and when it may be worth asking again.</summary>
/// <remarks>
/// A refusal is made, not thrown; policies keep and share instances so that refusing allocates nothing. The exception is
/// created by <see cref="ToException"/> only if the refusal reaches a caller that wants exceptions. Instances are immutable and thread-safe.
/// </remarks>
public abstract class Refusal
{
    /// <summary>Starts a refusal in the name of a policy.</summary>
    /// <exception cref="ArgumentException"><paramref name="policyName"/> is null or empty.</exception>
    protected Refusal(string policyName)
    {
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        PolicyName = policyName;
    }

    /// <summary>The name of the policy that refused.</summary>
    public string PolicyName { get; }

    /// <summary>One sentence for a human: why, with the counts that led to it.</summary>
    public abstract string Reason { get; }

    /// <summary>Since when calls are refused, where that is known.</summary>
    public virtual DateTimeOffset? Since => null;

    /// <summary>How long from now it may be worth waiting, where that is known. Never negative.</summary>
    public virtual TimeSpan? RetryAfter => null;

    /// <summary>Creates the exception that stands for this refusal, a new one at each call.</summary>
    public abstract ResilienceException ToException();
}

/// <summary>An exception that stands for a refusal although its type must be another one (an <c>HttpRequestException</c>, say). Pipelines
/// around it understand it as they do <see cref="ResilienceException"/>: <see cref="Verdict.Rejected"/>, with its time to come back.</summary>
public interface ICarriesRefusal
{
    /// <summary>The refusal; null when the exception stands for something else.</summary>
    Refusal? Refusal { get; }

    /// <summary>How long from now it may be worth waiting, where that is known.</summary>
    TimeSpan? RetryAfter { get; }
}
