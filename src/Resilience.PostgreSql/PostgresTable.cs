using System.Data;
using Npgsql;
using static Resilience.Idempotency.PostgresBatches;

namespace Resilience.Idempotency;

/// <summary>The table: creates it, and finds out how it and its server are set up.</summary>
internal sealed class PostgresTable(NpgsqlDataSource source, PostgresStatements sql)
{
    private const long CreationLock = 0x5265_7369_6C49_646D; // any number, the same for all processes

    internal async Task EnsureCreatedAsync(CancellationToken cancellationToken)
    {
        for (int round = 1; ; round++)
        {
            try
            {
                if (await IsCreatedAsync(cancellationToken).ConfigureAwait(false)) return;
                await CreateAsync(cancellationToken).ConfigureAwait(false);
                return;
            }
            catch (PostgresException e) when (PostgresErrors.IsDuplicate(e) && round < MaxRounds)
            {
                // The script was run by hand at this moment: look again.
            }
            catch (Exception e) when (PostgresErrors.Translate(e, sql.Table, cancellationToken) is { } ours)
            {
                throw ours;
            }
        }
    }

    internal async Task<IReadOnlyList<string>> CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            PostgresSetup setup = await ReadSetupAsync(cancellationToken).ConfigureAwait(false) ?? throw new IdempotencyStoreException(
                IdempotencyStoreFault.Misconfigured,
                $"There is no table {sql.Table}: run {nameof(PostgresIdempotencyStore.CreateScript)} or {nameof(EnsureCreatedAsync)}.");
            setup.ThrowIfUnusable(sql.Table);
            return setup.Warnings(sql.Table);
        }
        catch (Exception e) when (e is not IdempotencyStoreException && PostgresErrors.Translate(e, sql.Table, cancellationToken) is { } ours)
        {
            throw ours;
        }
    }

    /// <summary>Null when there is no such table.</summary>
    private async Task<PostgresSetup?> ReadSetupAsync(CancellationToken cancellationToken)
    {
        NpgsqlBatch batch = source.CreateBatch();
        await using (batch.ConfigureAwait(false))
        {
            Add(batch, sql.Setup, Value(sql.Table));
            NpgsqlDataReader reader = await batch.ExecuteReaderAsync(CommandBehavior.Default, cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
                return await reader.ReadAsync(cancellationToken).ConfigureAwait(false) ? new PostgresSetup(reader) : null;
        }
    }

    private async Task<bool> IsCreatedAsync(CancellationToken cancellationToken)
    {
        PostgresSetup? setup = await ReadSetupAsync(cancellationToken).ConfigureAwait(false);
        setup?.ThrowIfNewer(sql.Table);
        return setup is { Format: PostgresStatements.NewestFormat };
    }

    /// <summary>One batch is one transaction, at the end of which the lock is free again.</summary>
    private async Task CreateAsync(CancellationToken cancellationToken)
    {
        NpgsqlBatch batch = source.CreateBatch();
        await using (batch.ConfigureAwait(false))
        {
            Add(batch, sql.WaitForLock, Value(CreationLock));
            foreach (string statement in sql.Create) Add(batch, statement);
            await batch.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
