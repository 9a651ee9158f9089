using System.Data.Common;
using Microsoft.EntityFrameworkCore;

namespace Resilience.Idempotency;

/// <summary>The statements for one model and its database.</summary>
/// <remarks>What is decided by a look is written only if the row is still as it was seen: each change of a row changes its state, its fence, its lease or its
/// expiry. Times are the server's: either the statement reads its clock, or the look before it has.</remarks>
internal sealed class RecordStatements
{
    private readonly Type _connection;

    internal RecordStatements(DbContext context, EntityFrameworkIdempotencyOptions options)
    {
        Dialect = RecordDialect.Of(context.Database.ProviderName, options);
        Names = new(context);
        _connection = context.Database.GetDbConnection().GetType();
        string table = Names.Table, id = Names.Id;
        string state = Names.NameOf(RecordModel.State), fence = Names.NameOf(RecordModel.Fence), lease = Names.NameOf(RecordModel.LeaseUntil);
        string attempt = Names.NameOf(RecordModel.Attempt), nonce = Names.NameOf(RecordModel.Nonce), print = Names.NameOf(RecordModel.Fingerprint);
        string payload = Names.NameOf(RecordModel.Payload), format = Names.NameOf(RecordModel.FormatOf), day = Names.ExpiresDay, expires = Names.ExpiresAt;
        string isFree = Dialect.TryLock(P(RecordParameter.Lock)) is { } condition ? $" AND {condition}" : "";
        string columns = $"{state}, {fence}, {attempt}, {nonce}, {print}, {lease}, {expires}, {format}, {Dialect.Clock}";

        LookAtAll = $"SELECT {columns}, {payload} FROM {table} WHERE {id} = {P(RecordParameter.Id)}";
        Look = $"SELECT {columns}, NULL FROM {table} WHERE {id} = {P(RecordParameter.Id)}";
        Begin = $"""
            INSERT INTO {table} ({id}, {state}, {fence}, {attempt}, {nonce}, {print}, {lease}, {expires}, {day}, {format})
            SELECT {P(RecordParameter.Id)}, 1, c.now, 1, {P(RecordParameter.Nonce)}, {P(RecordParameter.Fingerprint)}, c.now + {P(RecordParameter.Lease)},
                   c.now + {P(RecordParameter.Kept)}, {RecordDialect.DayOf($"c.now + {P(RecordParameter.Kept)}")}, {RecordModel.Format}
              FROM {Dialect.ClockTable} AS c
             WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {id} = {P(RecordParameter.Id)}){isFree}{Dialect.OrNothing}
            """;
        string replace = $"""
            UPDATE {table}
               SET {state} = {P(RecordParameter.State)}, {fence} = {P(RecordParameter.Fence)}, {attempt} = {P(RecordParameter.Attempt)},
                   {nonce} = {P(RecordParameter.Nonce)}, {print} = {P(RecordParameter.Fingerprint)}, {lease} = {P(RecordParameter.LeaseUntil)},
                   {expires} = {P(RecordParameter.ExpiresAt)}, {day} = {P(RecordParameter.ExpiresDay)}, {payload} = {P(RecordParameter.Payload)},
                   {format} = {RecordModel.Format}
             WHERE {id} = {P(RecordParameter.Id)} AND {state} = {P(RecordParameter.SeenState)} AND {fence} = {P(RecordParameter.SeenFence)}
               AND {lease} = {P(RecordParameter.SeenLeaseUntil)} AND {expires} = {P(RecordParameter.SeenExpiresAt)}
            """;
        Replace = replace;
        ReplaceIfFree = replace + isFree;
        string isHeld = $"{id} = {P(RecordParameter.Id)} AND {fence} = {P(RecordParameter.Fence)} AND {state} = 1";
        string kept = $"{Dialect.Clock} + {P(RecordParameter.Kept)}";
        Complete = $"""
            UPDATE {table}
               SET {state} = {P(RecordParameter.State)}, {payload} = {P(RecordParameter.Payload)}, {lease} = 0, {expires} = {kept},
                   {day} = {RecordDialect.DayOf(kept)}
             WHERE {isHeld}
            """;
        Release = $"""
            UPDATE {table}
               SET {state} = 3, {payload} = NULL, {nonce} = {P(RecordParameter.Nonce)}, {lease} = 0, {expires} = {kept}, {day} = {RecordDialect.DayOf(kept)}
             WHERE {isHeld}
            """;
        string isOf = $"{id} = {P(RecordParameter.Id)} AND {fence} = {P(RecordParameter.Fence)}";
        WasDone = $"SELECT 1 FROM {table} WHERE {isOf} AND {state} = {P(RecordParameter.State)}";
        TakeLock = Dialect.TryLock(P(RecordParameter.Lock)) is { } tryLock ? $"SELECT {tryLock}" : null;
        WaitForLock = Dialect.WaitForLock(P(RecordParameter.Lock));
        LookAndLock = Look + Dialect.ForUpdate;

        // Changes nothing, and holds the row: it waits for a transaction that is at it. All databases know it.
        Touch = $"UPDATE {table} SET {format} = {format} WHERE {id} = {P(RecordParameter.Id)}";
    }

    internal RecordDialect Dialect { get; }

    internal RecordNames Names { get; }

    /// <summary>The row, the time and the payload.</summary>
    internal string LookAtAll { get; }

    /// <summary>The row and the time.</summary>
    internal string Look { get; }

    internal string LookAndLock { get; }

    /// <summary>A new key; nothing when there is a row, or a transaction of another caller is at the id.</summary>
    internal string Begin { get; }

    /// <summary>Writes the whole row if it is as it was seen.</summary>
    internal string Replace { get; }

    /// <summary>The same, unless a transaction of another caller is at the id.</summary>
    internal string ReplaceIfFree { get; }

    internal string Complete { get; }

    internal string Release { get; }

    internal string WasDone { get; }

    /// <summary>Says to others that a transaction is at this id; null: the database has no such lock.</summary>
    internal string? TakeLock { get; }

    internal string? WaitForLock { get; }

    internal string Touch { get; }

    /// <summary>Whether a connection is one of the same driver.</summary>
    internal bool IsOfProvider(DbConnection connection) => connection.GetType() == _connection;

    private string P(RecordParameter parameter) => Names.Parameter(parameter.Name);
}
