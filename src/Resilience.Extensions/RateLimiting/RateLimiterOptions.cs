using Resilience.Extensibility;

namespace Resilience;

/// <summary>How a limiter of <c>System.Threading.RateLimiting</c> is used in a pipeline.</summary>
public sealed class RateLimiterOptions : PolicyOptions
{
    /// <summary>How many permits a call takes, 1 or more. Default 1.</summary>
    public int Permits { get; set; } = 1;

    /// <summary>Whether a call may wait in the limiter's queue, if the limiter has one. Default true. The wait ends with the call's token.</summary>
    public bool MayQueue { get; set; } = true;

    /// <inheritdoc/>
    protected override string Kind => "rate-limiter";

    /// <inheritdoc/>
    protected override void Check(OptionsCheck check)
    {
        ArgumentNullException.ThrowIfNull(check);
        check.Number(nameof(Permits), Permits, 1);
    }
}
