namespace Resilience;

/// <summary>What a delegate can say to the calls around its own.</summary>
public static class ResilienceContextExtensions
{
    /// <summary>As <see cref="ResilienceContext.ForbidRetry"/>, and for the calls around this one too: the receiver does not want to be asked again. An
    /// exception that the attempt ends with is marked (<see cref="Outcome{T}.DoNotRetry"/>).</summary>
    /// <param name="context">The call.</param>
    /// <param name="reason">Why, in a few words.</param>
    /// <exception cref="ArgumentNullException"><paramref name="context"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="reason"/> is null or empty.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public static void ForbidAllRetries(this ResilienceContext context, string reason)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.ForbidRetry(reason);
        context.State.Remarks |= AttemptRemarks.IsFinal;
    }

    /// <summary>That the caller's own deadline has passed is a failure.</summary>
    internal static bool DeadlineCounts(this ResilienceContext context) => (context.State.Remarks & AttemptRemarks.DeadlineCounts) != 0;
}
