namespace Resilience;

/// <content>Results that may still turn out to be the one that the caller gets.</content>
public abstract partial class ResilienceContext
{
    /// <summary>Where those of the call and all its forks are.</summary>
    private ref Leftovers? LeftoversOfCall => ref (State.Counter ?? this).State.Leftovers;

    /// <summary>A look that is enough for nearly all calls: they have nothing that was left, and no fork that may come late.</summary>
    private protected bool MayHaveLeftovers => State.Leftovers is not null || State.Counter is not null;

    /// <summary>From now on there are some, also for what comes after the end of the call.</summary>
    internal Leftovers HoldLeftovers()
    {
        // Full fence: forks come here at the same time, and who reads the reference must find a whole object.
        ref Leftovers? kept = ref LeftoversOfCall;
        return Volatile.Read(ref kept) ?? Interlocked.CompareExchange(ref kept, new(), null) ?? kept;
    }

    /// <summary>The call has ended with this: what was left is thrown away, and what comes later.</summary>
    private protected void EndLeftovers(object? returned) =>
        Interlocked.CompareExchange(ref LeftoversOfCall, Leftovers.OfEnded, null)?.End(returned); // full fence: pairs with HoldLeftovers
}
