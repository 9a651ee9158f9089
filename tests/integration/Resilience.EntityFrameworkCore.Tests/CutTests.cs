using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.Tests.Support;
using Xunit.Abstractions;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>Connections that are cut before, during and after COMMIT, at every byte: what reported success is there once, what is not was told.</summary>
[Collection(PostgresCollection.Name)]
[Requires(Tool.PostgreSql)]
public sealed class CutTests(PostgresDatabase database, ITestOutputHelper output)
{
    private const string Commit = "COMMIT\0", Statement = "INSERT INTO orders";

    /// <summary>COMMIT is a message of 12 bytes, and its answer has 18.</summary>
    private const int BytesAroundCommit = 30;

    /// <summary>A statement and its answer have fewer, so that the last cuts do not happen.</summary>
    private const int BytesAroundStatement = 400;

    /// <summary>The message passes, and the server is still at work when the connection is cut.</summary>
    private const int AtOnce = -1;

    /// <summary>How a row is written, with what is cut.</summary>
    public enum Way
    {
        /// <summary>One statement outside of a transaction.</summary>
        SaveOne,

        /// <summary>Two statements in a transaction of SaveChanges.</summary>
        SaveTwo,

        /// <summary>The same, cut at the first of the statements.</summary>
        SaveTwoBefore,

        /// <summary>A transaction of ours.</summary>
        InTransaction,

        /// <summary>The same, cut at its statement.</summary>
        InTransactionBefore,

        /// <summary>The same with a question whether it was committed, and a unique key.</summary>
        Verified,

        /// <summary>Raw SQL outside of a transaction.</summary>
        RawSql,

        /// <summary>A query that calls a statement which writes.</summary>
        RawQuery,
    }

    /// <summary>What came of a call.</summary>
    private sealed record Call(Guid Operation, Way Way, int At, Exception? Error, bool WasCut)
    {
        internal bool IsUnknown => DatabaseResilience.UnknownOutcome.Equals(Error?.Data[DatabaseResilience.OutcomeKey]);

        /// <summary>What is wrong with as many rows as there are now; null: nothing.</summary>
        internal string? ProblemWith(int rows)
        {
            int perCall = Way is Way.SaveTwo or Way.SaveTwoBefore ? 2 : 1;
            if (rows > perCall) return $"doubled: {this}";
            if (rows != 0 && rows != perCall) return $"torn: {this}";
            if (Error is null && rows == 0) return $"lost: {this}";
            return Error is not null && !IsUnknown && rows > 0 ? $"told as not applied: {this}" : null;
        }

        public override string ToString() =>
            $"{Way} cut {(At == AtOnce ? "at once" : $"at byte {At}")}, {Error?.GetType().Name ?? "success"}{(IsUnknown ? ", told as unknown" : "")}";
    }

    private async Task<Call> WriteAsync(Way way, int at, bool isAsync, DatabaseResilience resilience, params IInterceptor[] interceptors)
    {
        Guid operation = Guid.NewGuid();
        await using Shop shop = database.OpenByProxy(resilience, interceptors);
        string message = IsStatement(way) ? Statement : Commit;
        CuttingProxy.Cut cut = at == AtOnce ? database.Proxy.ArmAtOnce(message) : database.Proxy.Arm(message, at);
        try
        {
            await Write(way, operation, isAsync, shop);
            return new(operation, way, at, null, cut.IsDone);
        }
        catch (Exception error)
        {
            return new(operation, way, at, error, cut.IsDone);
        }
    }

    private static async Task Write(Way way, Guid operation, bool isAsync, Shop shop)
    {
        string sql = $"INSERT INTO orders (operation) VALUES ('{operation}')", query = $"{sql} RETURNING id, operation, code";
        switch (way)
        {
            case Way.SaveOne or Way.SaveTwo or Way.SaveTwoBefore:
                shop.Add(new Order { Operation = operation });
                if (way != Way.SaveOne) shop.Add(new Order { Operation = operation });
                _ = isAsync ? await shop.SaveChangesAsync() : shop.SaveChanges();
                break;
            case Way.InTransaction or Way.InTransactionBefore when isAsync:
                await shop.InTransactionAsync((db, token) => db.Add(new Order { Operation = operation }).Context.SaveChangesAsync(token));
                break;
            case Way.InTransaction or Way.InTransactionBefore:
                shop.InTransaction(db => db.Add(new Order { Operation = operation }).Context.SaveChanges());
                break;
            case Way.Verified when isAsync:
                await shop.InTransactionAsync(
                    (db, token) => db.Add(new Order { Operation = operation, Code = $"{operation}" }).Context.SaveChangesAsync(token),
                    (db, token) => db.Orders.AnyAsync(o => o.Code == $"{operation}", token));
                break;
            case Way.Verified:
                shop.InTransaction(
                    db => db.Add(new Order { Operation = operation, Code = $"{operation}" }).Context.SaveChanges(),
                    db => db.Orders.Any(o => o.Code == $"{operation}"));
                break;
            case Way.RawSql:
                _ = isAsync
                    ? await shop.Database.CreateExecutionStrategy().ExecuteAsync(() => shop.Database.ExecuteSqlRawAsync(sql))
                    : shop.Database.CreateExecutionStrategy().Execute(() => shop.Database.ExecuteSqlRaw(sql));
                break;
            default:
                _ = isAsync ? await shop.Orders.FromSqlRaw(query).ToListAsync() : shop.Orders.FromSqlRaw(query).ToList();
                break;
        }
    }

    /// <summary>Whether the statement is cut, and not COMMIT.</summary>
    private static bool IsStatement(Way way) =>
        way is Way.SaveOne or Way.RawSql or Way.RawQuery or Way.SaveTwoBefore or Way.InTransactionBefore;

    private async Task<(List<Call> Calls, List<string> Problems)> CutAllAsync(
        Way way, DatabaseResilience resilience, int rounds, params IInterceptor[] interceptors)
    {
        List<Call> calls = [];
        for (int i = 0; i < rounds; i++)
        {
            // Every byte of a COMMIT and of its answer; a statement is longer, and the bytes are spread over it.
            int length = IsStatement(way) ? BytesAroundStatement : BytesAroundCommit;
            int at = i % 8 == 7 ? AtOnce : rounds >= length ? i % (length + 1) : (int)((long)i * (length + 1) / rounds);
            calls.Add(await WriteAsync(way, at, isAsync: i % 2 == 0, resilience, interceptors));
        }

        Dictionary<Guid, int> rows = await database.CountRowsAsync();
        return (calls, [.. calls.Select(c => c.ProblemWith(rows.GetValueOrDefault(c.Operation))).OfType<string>()]);
    }

    [Theory]
    [InlineData(Way.SaveOne)]
    [InlineData(Way.SaveTwo)]
    [InlineData(Way.SaveTwoBefore)]
    [InlineData(Way.InTransaction)]
    [InlineData(Way.InTransactionBefore)]
    [InlineData(Way.Verified)]
    [InlineData(Way.RawSql)]
    [InlineData(Way.RawQuery)]
    public async Task Nothing_is_doubled_and_nothing_is_lost_in_silence_wherever_the_connection_is_cut(Way way)
    {
        int rounds = Bounds.Of(usual: 32, deep: 1000);
        (List<Call> calls, List<string> problems) = await CutAllAsync(way, Pipelines.Retrying(), rounds);
        output.WriteLine(
            $"{calls.Count(c => c.WasCut)} cut: {calls.Count(c => c.WasCut && c.Error is null)} succeeded, {calls.Count(c => c.IsUnknown)} told as unknown");
        problems.Should().BeEmpty();
        calls.Count(c => c.WasCut).Should().BeGreaterThan(rounds / 4, "most of the bytes are there to be cut");
        if (way is Way.Verified or Way.SaveTwoBefore or Way.InTransactionBefore)
            calls.Where(c => c.Error is not null).Select(c => $"{c}").Should().BeEmpty("before COMMIT all is repeated, and after it what can be found out");
        else
            calls.Count(c => c.IsUnknown).Should().BePositive("an answer that did not come is told");
    }

    [Theory]
    [InlineData(Way.SaveOne)]
    [InlineData(Way.SaveTwo)]
    [InlineData(Way.InTransaction)]
    [InlineData(Way.RawSql)]
    public async Task A_strategy_that_repeats_after_COMMIT_began_is_found(Way way)
    {
        (_, List<string> problems) = await CutAllAsync(way, Pipelines.Retrying(repeatUnknownCommits: true), rounds: 16);
        problems.Should().Contain(p => p.StartsWith("doubled", StringComparison.Ordinal), "this is what EF Core's own strategies do");
    }

    [Theory]
    [InlineData(Way.SaveOne)]
    [InlineData(Way.RawSql)]
    [InlineData(Way.RawQuery)]
    public async Task A_tracker_that_forgets_statements_outside_of_transactions_is_found(Way way)
    {
        (_, List<string> problems) = await CutAllAsync(way, Pipelines.Retrying(), rounds: 16, new Forgetting());
        problems.Should().Contain(p => p.StartsWith("doubled", StringComparison.Ordinal));
    }

    /// <summary>Takes back what was noted of each command.</summary>
    private sealed class Forgetting : DbCommandInterceptor
    {
        public override InterceptionResult<DbDataReader> ReaderExecuting(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result) => Forget(command, result);

        public override InterceptionResult<int> NonQueryExecuting(DbCommand command, CommandEventData eventData, InterceptionResult<int> result) =>
            Forget(command, result);

        public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
            new(Forget(command, result));

        public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
            DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
            new(Forget(command, result));

        private static TResult Forget<TResult>(DbCommand command, TResult result)
        {
            OperationNotes.Current!.Failed(command.Connection!, new DatabaseError(DatabaseError.Deadlock));
            return result;
        }
    }
}
