using System.Data;
using Npgsql;
using static Resilience.Idempotency.PostgresBatches;

namespace Resilience.Idempotency;

/// <content>Decisions about records whose outcome is unknown.</content>
public sealed partial class PostgresIdempotencyStore
{
    /// <inheritdoc/>
    /// <remarks>While a transaction is at the record, the answer is <see cref="ResolveStatus.InFlight"/>: it may commit an outcome.</remarks>
    public async ValueTask<ResolveResult> ResolveRecordAsync(ResolveRequest request, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.Check(request, Traits.MaxPayloadBytes);
        if (cancellationToken.CanBeCanceled) request = request with { Payload = request.Payload.ToArray() }; // it may be read after we have left
        for (int round = 1; ; round++)
        {
            (ResolveResult answer, bool isFinal) =
                await _batches.AskAsync(null, batch => ResolveOnceAsync(batch, request, cancellationToken), cancellationToken).ConfigureAwait(false);
            if (isFinal || round == MaxRounds) return answer;
        }
    }

    private async Task<(ResolveResult Result, bool IsFinal)> ResolveOnceAsync(
        NpgsqlBatch batch, ResolveRequest request, CancellationToken cancellationToken)
    {
        byte[] id = request.Id.ToArray();
        short state = request.Completion switch
        {
            IdempotencyCompletion.None => PostgresRow.Released,
            IdempotencyCompletion.Completed => PostgresRow.Completed,
            _ => PostgresRow.OutcomeUnknown,
        };
        long kept = request.Completion == IdempotencyCompletion.None ? IdempotencyRules.Tombstone : Micros(request.Retention);
        Add(
            batch, _sql.Resolve, Value(id), Value(request.Fence), Value(state), Value(request.Nonce), Value(request.Payload), Value(kept), Value(LockOf(id)));
        Add(batch, _sql.ExplainResolve, Value(id), Value(state), Value(request.Nonce));
        NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
        await using (reader.ConfigureAwait(false))
        {
            if (await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return (new(ResolveStatus.Resolved, reader.GetInt64(0)), true);
            await reader.NextResultAsync(cancellationToken).ConfigureAwait(false);
            if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return (new(ResolveStatus.Absent, 0), true);
            return PostgresRow.ExplainResolve(reader, request) ?? throw PostgresErrors.Corrupt(request.Id, _sql.Table);
        }
    }
}
