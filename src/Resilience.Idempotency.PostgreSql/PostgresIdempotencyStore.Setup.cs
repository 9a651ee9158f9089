using System.Data;
using Npgsql;

namespace Resilience.Idempotency;

/// <content>How the table and the server are set up.</content>
public sealed partial class PostgresIdempotencyStore
{
    /// <inheritdoc/>
    /// <remarks>Finds an unlogged table, <c>synchronous_commit</c>, <c>fsync</c> and <c>full_page_writes</c> that are off, a <c>synchronous_commit</c> that
    /// does not wait for the standby in <c>synchronous_standby_names</c>, a standby, a missing table, and a
    /// table of another format.</remarks>
    public async Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            PostgresSetup setup = await ReadSetupAsync(cancellationToken).ConfigureAwait(false) ?? throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured, $"There is no table {_sql.Table}: run {nameof(CreateScript)} or {nameof(EnsureCreatedAsync)}.");
            setup.ThrowIfUnusable(_sql.Table);
            return setup.Warnings(_sql.Table);
        }
        catch (Exception e) when (e is not IdempotencyStoreException && PostgresErrors.Translate(e, _sql.Table, cancellationToken) is { } ours)
        {
            throw ours;
        }
    }

    /// <summary>Null when there is no such table.</summary>
    private async Task<PostgresSetup?> ReadSetupAsync(CancellationToken cancellationToken)
    {
        NpgsqlBatch batch = _source.CreateBatch();
        await using (batch.ConfigureAwait(false))
        {
            Add(batch, _sql.Setup, Value(_sql.Table));
            NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? new PostgresSetup(reader) : null;
        }
    }
}
