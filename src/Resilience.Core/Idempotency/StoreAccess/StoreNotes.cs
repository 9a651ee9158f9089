namespace Resilience.Idempotency;

/// <summary>What is known of one operation over all its attempts.</summary>
internal sealed class StoreNotes
{
    private volatile bool _isInDoubt;
    private volatile IdempotencyStoreException? _said;

    /// <summary>The attempt that was begun last; it may still be under way.</summary>
    internal Task? Last;

    /// <summary>What the store said last, where it said anything.</summary>
    internal IdempotencyStoreException? Said => _said;

    /// <summary>True when the store may have done what was asked although it did not say so: an attempt failed so, or is still under way.</summary>
    internal bool IsInDoubt => _isInDoubt || Last is { IsCompleted: false };

    internal void Failed(IdempotencyStoreException? said, bool isInDoubt)
    {
        if (said is not null) _said = said;
        if (isInDoubt) _isInDoubt = true;
    }
}
