namespace Resilience.Idempotency;

/// <content>What is known of an operation while it is asked for.</content>
internal sealed partial class StoreCalls
{
    /// <summary>What is known of one operation over all its attempts.</summary>
    private sealed class Notes
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
}
