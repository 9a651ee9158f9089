namespace Resilience.Idempotency;

/// <content>The claim as an entry of the <see cref="ClaimTable"/>. All of it is guarded by the lock of its part.</content>
public sealed partial class IdempotencyClaim
{
    /// <summary>The keeper's notes.</summary>
    internal LeaseNotes Lease;

    /// <summary>The next one in its bucket.</summary>
    internal IdempotencyClaim? Next;

    /// <summary>Duplicates of this process that wait for it; null before the first.</summary>
    internal ClaimFollowers? Followers;

    /// <summary>Its place in the table; 0 before it has one. Written once, before it enters.</summary>
    internal uint Hash;

    /// <summary>It is in the table.</summary>
    internal bool IsListed;

    /// <summary>Duplicates find it. A claim that asked for something else under the id of another one is listed only to be renewed.</summary>
    internal bool IsLeading;

    /// <summary>The store has granted it, or it goes on without.</summary>
    internal bool IsOwned;
}
