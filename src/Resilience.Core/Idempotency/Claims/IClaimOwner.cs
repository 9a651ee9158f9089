using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>What a claim came from, and what is told when it ends: the gate. A claim knows no more of it than this.</summary>
internal interface IClaimOwner
{
    Guid NonceOf(long number);

    ValueTask<IdempotencyFinish> CompleteAsync(
        IdempotencyClaim claim, IdempotencyCompletion completion, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, TimeSpan? retention);

    ValueTask EnterTransactionAsync(IdempotencyClaim claim, DbTransaction transaction, CancellationToken cancellationToken);

    /// <summary>The transaction was rolled back: its lease is renewed again.</summary>
    void TakeBack(IdempotencyClaim claim);

    /// <returns>What duplicates receive once it is committed; none when the claim is lost.</returns>
    ValueTask<IdempotencyResult> CompleteInAsync(
        IdempotencyClaim claim, DbTransaction transaction, IdempotencyPayloadKind kind, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    ValueTask<CommitResolution> ResolveCommitAsync(IdempotencyClaim claim, TimeSpan wait, CancellationToken cancellationToken);

    void EndInTransaction(IdempotencyClaim claim, in IdempotencyResult end);

    ValueTask<IdempotencyFinish> ReleaseAsync(IdempotencyClaim claim);

    ValueTask<IdempotencyFinish> LapseAsync(IdempotencyClaim claim);

    void Hold(IdempotencyClaim claim);
}
