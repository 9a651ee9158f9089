namespace Resilience;

/// <summary>Who may wait, and how long. Times are ticks.</summary>
internal sealed record QueueTerms(int MaxQueued, bool FollowsLimit, long MaxWait, long StandingAfter, long StandingWait)
{
    /// <summary>How many may wait under this limit.</summary>
    internal int MaxOf(int limit) => FollowsLimit && MaxQueued > 0 ? Math.Max(MaxQueued, limit) : MaxQueued;
}
