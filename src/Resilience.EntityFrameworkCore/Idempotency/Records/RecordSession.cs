using System.Buffers.Binary;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.Idempotency;

/// <summary>Asks one connection, within a transaction or without one.</summary>
internal sealed class RecordSession(RecordStatements sql, DbConnection connection, DbTransaction? transaction)
{
    private const string Savepoint = "resilience_idempotency";

    internal RecordStatements Sql => sql;

    internal DbConnection Connection => connection;

    internal bool IsInTransaction => transaction is not null;

    /// <summary>Inserts the row of a new key, if there is none, and looks at what is there: one round trip where that is possible.</summary>
    internal async Task<SeenRecord> BeginAndLookAsync(AcquireRequest request, CancellationToken cancellationToken)
    {
        if (sql.Dialect.AsksTogether)
        {
            return await ReadAsync(
                request.Id, $"{sql.Begin};{sql.LookAtAll}", isInsert: true, cancellationToken, ParametersOf(request)).ConfigureAwait(false);
        }

        SeenRecord seen = await LookAsync(request.Id, cancellationToken).ConfigureAwait(false);
        if (seen.IsThere || !await BeginAsync(request, cancellationToken).ConfigureAwait(false)) return seen;
        return await LookAsync(request.Id, cancellationToken).ConfigureAwait(false) with { IsNew = true };
    }

    /// <summary>The row with its payload, and the time.</summary>
    internal Task<SeenRecord> LookAsync(IdempotencyId id, CancellationToken cancellationToken) =>
        ReadAsync(id, sql.LookAtAll, isInsert: false, cancellationToken, (RecordParameter.Id, id.ToArray()));

    /// <summary>The row without its payload, and the time.</summary>
    internal Task<SeenRecord> GlanceAsync(IdempotencyId id, CancellationToken cancellationToken) =>
        ReadAsync(id, sql.Look, isInsert: false, cancellationToken, (RecordParameter.Id, id.ToArray()));

    /// <summary>The row when no other transaction is at the id any more.</summary>
    internal async Task<SeenRecord> LookWhenFreeAsync(IdempotencyId id, CancellationToken cancellationToken)
    {
        byte[] key = id.ToArray();
        if (sql.WaitForLock is { } wait) await ExecuteAsync(wait, cancellationToken, (RecordParameter.Lock, LockOf(key))).ConfigureAwait(false);
        else await ExecuteAsync(sql.Touch, cancellationToken, (RecordParameter.Id, key)).ConfigureAwait(false);
        return await ReadAsync(id, sql.LookAndLock, isInsert: false, cancellationToken, (RecordParameter.Id, key)).ConfigureAwait(false);
    }

    /// <summary>Writes the row if it still is as it was seen.</summary>
    internal async Task<bool> ReplaceAsync(
        IdempotencyId id, SeenRecord seen, IdempotencyRecord next, byte[]? payload, bool ifFree, CancellationToken cancellationToken)
    {
        byte[] key = id.ToArray();
        return await ExecuteAsync(
            ifFree ? sql.ReplaceIfFree : sql.Replace,
            cancellationToken,
            (RecordParameter.Id, key),
            (RecordParameter.State, (int)next.State),
            (RecordParameter.Fence, next.Fence),
            (RecordParameter.Attempt, next.Attempt),
            (RecordParameter.Nonce, next.Nonce.ToByteArray()),
            (RecordParameter.Fingerprint, next.Fingerprint.ToArray()),
            (RecordParameter.LeaseUntil, next.LeaseUntil),
            (RecordParameter.ExpiresAt, next.ExpiresAt),
            (RecordParameter.ExpiresDay, DayOf(next.ExpiresAt)),
            (RecordParameter.Payload, payload),
            (RecordParameter.SeenState, (int)seen.Record.State),
            (RecordParameter.SeenFence, seen.Record.Fence),
            (RecordParameter.SeenLeaseUntil, seen.Record.LeaseUntil),
            (RecordParameter.SeenExpiresAt, seen.Record.ExpiresAt),
            (RecordParameter.Lock, LockOf(key))).ConfigureAwait(false) > 0;
    }

    /// <summary>Keeps an outcome under the fence of a claim.</summary>
    internal async Task<bool> CompleteAsync(
        IdempotencyId id, long fence, IdempotencyRecordState state, byte[] payload, TimeSpan retention, CancellationToken cancellationToken)
    {
        byte[] key = id.ToArray();
        if (IsInTransaction) await TakeLockAsync(key, cancellationToken).ConfigureAwait(false);
        return await ExecuteAsync(
            sql.Complete,
            cancellationToken,
            (RecordParameter.Id, key),
            (RecordParameter.Fence, fence),
            (RecordParameter.State, (int)state),
            (RecordParameter.Payload, payload),
            (RecordParameter.Kept, Micros(retention))).ConfigureAwait(false) > 0
            || await WasDoneAsync(key, fence, state, cancellationToken).ConfigureAwait(false);
    }

    internal async Task<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken)
    {
        byte[] key = id.ToArray();
        return await ExecuteAsync(
            sql.Release,
            cancellationToken,
            (RecordParameter.Id, key),
            (RecordParameter.Fence, fence),
            (RecordParameter.Nonce, Guid.Empty.ToByteArray()),
            (RecordParameter.Kept, IdempotencyRules.Tombstone)).ConfigureAwait(false) > 0
            || await WasDoneAsync(key, fence, IdempotencyRecordState.Released, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Says to others that this transaction is at the id. If another one is, they hear it from that one.</summary>
    internal async Task TakeLockAsync(byte[] id, CancellationToken cancellationToken)
    {
        if (sql.TakeLock is not { } take) return;
        DbCommand command = Command(take, [(RecordParameter.Lock, LockOf(id))]);
        await using (command.ConfigureAwait(false)) await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Takes the lock of the id and the row for the rest of the transaction.</summary>
    internal async Task HoldAsync(IdempotencyId id, CancellationToken cancellationToken)
    {
        byte[] key = id.ToArray();
        await TakeLockAsync(key, cancellationToken).ConfigureAwait(false);
        await ExecuteAsync(sql.Touch, cancellationToken, (RecordParameter.Id, key)).ConfigureAwait(false);
    }

    internal Task<int> PurgeAsync(string purge, CancellationToken cancellationToken) => ExecuteAsync(purge, cancellationToken);

    internal async Task<long> ReadClockAsync(CancellationToken cancellationToken)
    {
        DbCommand command = Command($"SELECT c.now FROM {sql.Dialect.ClockTable} AS c", []);
        await using (command.ConfigureAwait(false))
            return Convert.ToInt64(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false), CultureInfo.InvariantCulture);
    }

    private async Task<bool> BeginAsync(AcquireRequest request, CancellationToken cancellationToken)
    {
        bool mayBreakOff = transaction is { SupportsSavepoints: true } && sql.Dialect.InsertsMayFail;
        if (mayBreakOff) await transaction!.SaveAsync(Savepoint, cancellationToken).ConfigureAwait(false);
        try
        {
            bool isNew = await ExecuteAsync(sql.Begin, cancellationToken, ParametersOf(request)).ConfigureAwait(false) > 0;
            if (mayBreakOff) await transaction!.ReleaseAsync(Savepoint, cancellationToken).ConfigureAwait(false);
            return isNew;
        }
        catch (DbException) when (sql.Dialect.InsertsMayFail)
        {
            if (mayBreakOff) await transaction!.RollbackAsync(Savepoint, cancellationToken).ConfigureAwait(false);

            // Another caller was faster if there is a row now; else it was something else.
            if ((await LookAsync(request.Id, cancellationToken).ConfigureAwait(false)).IsThere) return true;
            throw;
        }
    }

    private async Task<bool> WasDoneAsync(byte[] id, long fence, IdempotencyRecordState state, CancellationToken cancellationToken)
    {
        DbCommand command = Command(
            sql.WasDone, [(RecordParameter.Id, id), (RecordParameter.Fence, fence), (RecordParameter.State, (int)state)]);
        await using (command.ConfigureAwait(false)) return await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is not null;
    }

    private async Task<SeenRecord> ReadAsync(
        IdempotencyId id, string text, bool isInsert, CancellationToken cancellationToken, params (RecordParameter Parameter, object? Value)[] values)
    {
        DbCommand command = Command(text, values);
        await using (command.ConfigureAwait(false))
        {
            DbDataReader reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
            await using (reader.ConfigureAwait(false))
            {
                if (!await reader.ReadAsync(cancellationToken).ConfigureAwait(false)) return SeenRecord.Nothing;
                SeenRecord seen = RecordRow.Read(reader, id, sql.Names.Table);
                await reader.CloseAsync().ConfigureAwait(false); // only then it is known how many rows were written
                return seen with { IsNew = isInsert && reader.RecordsAffected > 0 };
            }
        }
    }

    private async Task<int> ExecuteAsync(string text, CancellationToken cancellationToken, params (RecordParameter Parameter, object? Value)[] values)
    {
        using WriterTurn? turn = sql.Dialect.HasOneWriter && transaction is null
            ? await WriterTurn.TakeAsync(connection, cancellationToken).ConfigureAwait(false)
            : null;
        DbCommand command = Command(text, values);
        await using (command.ConfigureAwait(false)) return await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    [SuppressMessage("Security", "CA2100", Justification = "Made of constants, of the names in the model, which are quoted, and of the clock in the options.")]
    private DbCommand Command(string text, (RecordParameter Parameter, object? Value)[] values)
    {
        DbCommand command = connection.CreateCommand();
        command.CommandText = text;
        command.Transaction = transaction;
        if (sql.Dialect.CommandSeconds is { } seconds) command.CommandTimeout = seconds;
        foreach ((RecordParameter parameter, object? value) in values)
        {
            // Drivers that count what was used of the parameters would miss one that the statement has no place for.
            if (!text.Contains(sql.Names.Parameter(parameter.Name), StringComparison.Ordinal)) continue;
            RelationalTypeMapping type = sql.Names.TypeOf(parameter.Property);
            command.Parameters.Add(type.CreateParameter(command, sql.Names.ParameterName(parameter.Name), value, value is null));
        }

        return command;
    }

    private static (RecordParameter Parameter, object? Value)[] ParametersOf(in AcquireRequest request)
    {
        byte[] id = request.Id.ToArray();
        return
        [
            (RecordParameter.Id, id),
            (RecordParameter.Nonce, request.Nonce.ToByteArray()),
            (RecordParameter.Fingerprint, request.Fingerprint.ToArray()),
            (RecordParameter.Lease, Micros(request.Lease)),
            (RecordParameter.Kept, Micros(request.Retention > request.Lease ? request.Retention : request.Lease)),
            (RecordParameter.Lock, LockOf(id)),
        ];
    }

    /// <summary>64 bits of the id. That two ids share them costs one of them a claim that is told to come back, no more.</summary>
    private static long LockOf(byte[] id) => BinaryPrimitives.ReadInt64BigEndian(id);

    private static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    private static int DayOf(long micros) => Convert.ToInt32(micros / 86_400_000_000, CultureInfo.InvariantCulture);
}
