using System.Globalization;

namespace Resilience;

/// <summary>A policy of ours said no: who, why, since when, and when it may be worth asking again.</summary>
/// <remarks>
/// A rejection is made, not thrown; policies keep and share instances so that rejecting allocates nothing. The exception is
/// created by <see cref="ToException"/> only if the rejection reaches a caller that wants exceptions. Instances are immutable and thread-safe.
/// </remarks>
public abstract class Rejection
{
    /// <summary>Starts a rejection in the name of a policy that belongs to no pipeline, or to several.</summary>
    /// <exception cref="ArgumentException"><paramref name="policyName"/> is null or empty.</exception>
    protected Rejection(string policyName)
        : this("", policyName)
    {
    }

    /// <summary>Starts a rejection in the name of a policy of a pipeline.</summary>
    /// <param name="pipelineName">The name of the pipeline, empty if it has none.</param>
    /// <param name="policyName">The name of the policy.</param>
    /// <exception cref="ArgumentNullException"><paramref name="pipelineName"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="policyName"/> is null or empty.</exception>
    protected Rejection(string pipelineName, string policyName)
    {
        ArgumentNullException.ThrowIfNull(pipelineName);
        ArgumentException.ThrowIfNullOrEmpty(policyName);
        PipelineName = pipelineName;
        PolicyName = policyName;
    }

    /// <summary>The name of the pipeline whose policy rejected; empty if it has none, or if the policy is shared between pipelines.</summary>
    public string PipelineName { get; }

    /// <summary>The name of the policy that rejected.</summary>
    public string PolicyName { get; }

    /// <summary>One sentence for a human: who rejected (<see cref="Who"/>), why, with the counts that led to it, since when and until
    /// when. Times of day are UTC, by the policy's <see cref="TimeProvider"/>. Made when it is asked for.</summary>
    public abstract string Reason { get; }

    /// <summary>How a sentence begins: <c>pipeline/policy</c>, or the policy alone.</summary>
    protected string Who => PipelineName.Length == 0 ? PolicyName : $"{PipelineName}/{PolicyName}";

    /// <summary>Since when calls are rejected, where that is known.</summary>
    public virtual DateTimeOffset? Since => null;

    /// <summary>How long from now it may be worth waiting, where that is known. Never negative.</summary>
    public virtual TimeSpan? RetryAfter => null;

    /// <summary>Creates the exception that stands for this rejection, a new one at each call. Its message is the <see cref="Reason"/>.</summary>
    public abstract ResilienceException ToException();

    /// <summary>The <see cref="Reason"/>.</summary>
    public override string ToString() => Reason;

    /// <summary>A time of day for a sentence, in UTC: <c>12:00:03Z</c>, with the date if it is not today's.</summary>
    /// <param name="moment">The time.</param>
    /// <param name="now">The time at which the sentence is made.</param>
    protected static string Moment(DateTimeOffset moment, DateTimeOffset now)
    {
        bool isToday = moment.UtcDateTime.Date == now.UtcDateTime.Date;
        return moment.UtcDateTime.ToString(isToday ? "HH:mm:ss'Z'" : "yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
    }

    /// <summary>A time to come for a sentence: <c>in 3.2 s, at 12:00:08Z</c> (the next whole second), or <c>now</c>.</summary>
    /// <param name="wait">How long from now; nothing or less is now.</param>
    /// <param name="now">The time at which the sentence is made.</param>
    protected static string Ahead(TimeSpan wait, DateTimeOffset now)
    {
        if (wait <= TimeSpan.Zero) return "now";
        if (wait > DateTimeOffset.MaxValue - now - TimeSpan.FromSeconds(1)) return "never";
        long second = (now + wait + TimeSpan.FromTicks(TimeSpan.TicksPerSecond - 1)).UtcTicks / TimeSpan.TicksPerSecond;
        return $"in {TimeText.Of(wait)}, at {Moment(new(second * TimeSpan.TicksPerSecond, TimeSpan.Zero), now)}";
    }
}
