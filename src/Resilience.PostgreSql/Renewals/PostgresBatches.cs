using System.Data;
using Npgsql;

namespace Resilience.Idempotency;

/// <summary>Batches of statements: how they are made, asked, asked again after a conflict, and what their errors mean.</summary>
/// <param name="source">Where connections come from.</param>
/// <param name="table">The table, in messages.</param>
internal sealed class PostgresBatches(NpgsqlDataSource source, string table)
{
    /// <summary>How often something is asked again that others came between.</summary>
    internal const int MaxRounds = 5;

    /// <summary>Runs one batch, and says what its errors mean.</summary>
    internal async ValueTask<T> AskAsync<T>(NpgsqlTransaction? transaction, Func<NpgsqlBatch, Task<T>> ask, CancellationToken cancellationToken)
    {
        for (int round = 1; ; round++)
        {
            try
            {
                Task<T> asking = round == 1 ? AskOnceAsync(transaction, ask) : AskReadCommittedAsync(ask, cancellationToken);

                // The driver tells the server that we are gone and waits for it to hear, which a silent one never does. Not so in a
                // transaction of the caller: it gets its connection back when nothing else uses it.
                return transaction is null ? await LeaveOnAsync(asking, cancellationToken).ConfigureAwait(false) : await asking.ConfigureAwait(false);
            }
            catch (PostgresException e) when (transaction is null && round < MaxRounds && PostgresErrors.IsConflict(e))
            {
                // To have lost against another transaction is no error here.
            }
            catch (Exception e) when (PostgresErrors.Translate(e, table, cancellationToken) is { } ours)
            {
                throw ours;
            }
        }
    }

    private static Task<T> LeaveOnAsync<T>(Task<T> asking, CancellationToken cancellationToken)
    {
        if (asking.IsCompleted || !cancellationToken.CanBeCanceled) return asking;
        _ = asking.ContinueWith(
            static t => _ = t.Exception, // seen, even if no caller is left
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return asking.WaitAsync(cancellationToken);
    }

    private async Task<T> AskOnceAsync<T>(NpgsqlTransaction? transaction, Func<NpgsqlBatch, Task<T>> ask)
    {
        NpgsqlBatch batch = NewBatch(transaction);
        await using (batch.ConfigureAwait(false)) return await ask(batch).ConfigureAwait(false);
    }

    /// <summary>Where the server's default is a stricter level, losers of a race are thrown at: they ask again at the level that lets them
    /// see the winner. More round trips, but no exception for contention.</summary>
    private async Task<T> AskReadCommittedAsync<T>(Func<NpgsqlBatch, Task<T>> ask, CancellationToken cancellationToken)
    {
        NpgsqlConnection connection = await source.OpenConnectionAsync(cancellationToken).ConfigureAwait(false);
        await using (connection.ConfigureAwait(false))
        {
            NpgsqlTransaction transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, cancellationToken).ConfigureAwait(false);
            await using (transaction.ConfigureAwait(false))
            {
                T answer = await AskOnceAsync(transaction, ask).ConfigureAwait(false);
                await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
                return answer;
            }
        }
    }

    private NpgsqlBatch NewBatch(NpgsqlTransaction? transaction)
    {
        if (transaction is null) return source.CreateBatch();
        NpgsqlConnection connection = transaction.Connection ?? throw new InvalidOperationException("The transaction has ended.");
        return new(connection, transaction);
    }

    internal static void Add(NpgsqlBatch batch, string sql, params NpgsqlParameter[] values)
    {
        NpgsqlBatchCommand command = new(sql);
        foreach (NpgsqlParameter value in values) command.Parameters.Add(value);
        batch.BatchCommands.Add(command);
    }

    internal static NpgsqlParameter<T> Value<T>(T value) => new() { TypedValue = value };

    /// <summary>64 bits of the id. That two ids share them costs one of them a claim that is told to come back, no more.</summary>
    internal static long LockOf(byte[] id) => System.Buffers.Binary.BinaryPrimitives.ReadInt64BigEndian(id);

    internal static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;
}
