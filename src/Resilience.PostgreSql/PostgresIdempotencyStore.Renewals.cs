using System.Data;
using Npgsql;
using static Resilience.Idempotency.PostgresBatches;

namespace Resilience.Idempotency;

/// <content>Leases that are renewed, alone or together.</content>
public sealed partial class PostgresIdempotencyStore
{
    /// <inheritdoc/>
    /// <remarks>Renewals that come while one is under way go together, up to 500 in a statement. Each is answered by itself.</remarks>
    public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
    {
        IdempotencyStoreArguments.CheckLease(lease);
        return _renewals.RenewAsync(new(id, fence, lease), cancellationToken);
    }

    private ValueTask<bool> RenewOneAsync(PostgresRenewal asked, CancellationToken cancellationToken) => _batches.AskAsync(
        null,
        batch => ChangeAsync(batch, _sql.Renew, cancellationToken, Value(asked.Id.ToArray()), Value(asked.Fence), Value(Micros(asked.Lease))),
        cancellationToken);

    private ValueTask<bool?[]> RenewSeveralAsync(IReadOnlyList<PostgresRenewal> asked, CancellationToken cancellationToken) => _batches.AskAsync(
        null,
        async batch =>
        {
            Add(
                batch,
                _sql.RenewSeveral,
                Value(asked.Select(static a => a.Id.ToArray()).ToArray()),
                Value(asked.Select(static a => a.Fence).ToArray()),
                Value(asked.Select(static a => Micros(a.Lease)).ToArray()));
            NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                bool?[] answers = new bool?[asked.Count];
                Array.Fill(answers, false); // lost, or not known: nothing comes back
                while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
                    answers[reader.GetInt64(0) - 1] = reader.GetBoolean(1) ? true : null;
                return answers;
            }
        },
        cancellationToken);
}
