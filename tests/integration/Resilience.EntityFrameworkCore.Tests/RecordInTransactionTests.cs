using System.Data.Common;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.Idempotency;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>An idempotency record in the transaction of the rows, under the strategy: both are there or neither, wherever the connection is cut at COMMIT; and
/// with the record in it, a transaction may be repeated after a COMMIT whose answer was lost.</summary>
[Collection(PostgresCollection.Name)]
[Requires(Tool.PostgreSql)]
public sealed class RecordInTransactionTests(PostgresDatabase database)
{
    private const string Commit = "COMMIT\0";

    /// <summary>COMMIT is a message of 12 bytes, and its answer has 18; and one more, where nothing is cut.</summary>
    private const int BytesAroundCommit = 31;

    private const int AtOnce = -1;

    private static IEnumerable<int> Cuts => Enumerable.Range(0, BytesAroundCommit).Append(AtOnce).Append(AtOnce);

    [Fact]
    public async Task Record_and_rows_are_there_or_neither_is_wherever_the_connection_is_cut()
    {
        List<Written> calls = await WriteAllAsync(Pipelines.Retrying(maxRetries: 0), hasRecord: true);

        calls.Where(c => c.Rows > 1 || (c.Rows == 1) != c.HasRecord).Should().BeEmpty();
        calls.Where(c => c.Error is null && c.Rows == 0).Should().BeEmpty("what reported success is there");
        calls.Should().Contain(c => c.Error != null && c.Rows == 1, "some were committed whose answer was lost")
            .And.Contain(c => c.Error != null && c.Rows == 0);
    }

    [Fact]
    public async Task With_the_record_in_it_a_transaction_is_repeated_after_COMMIT_and_every_call_is_done_once()
    {
        List<Written> calls = await WriteAllAsync(Pipelines.Retrying(maxRetries: 10_000), hasRecord: true);

        calls.Where(c => c.Error is not null || c.Rows != 1 || !c.HasRecord).Should().BeEmpty();
        calls.Count(c => c.Attempts > 1).Should().BeGreaterThan(calls.Count / 2, "they were cut");
        calls.Should().Contain(c => c.FoundItsRecord, "some had been committed by the attempt whose answer was lost");
    }

    [Fact]
    public async Task A_transaction_that_is_repeated_after_COMMIT_without_its_record_is_found()
    {
        List<Written> calls = await WriteAllAsync(Pipelines.Retrying(maxRetries: 10_000), hasRecord: false);

        calls.Should().Contain(c => c.Rows > 1);
    }

    private async Task<List<Written>> WriteAllAsync(DatabaseResilience resilience, bool hasRecord)
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database.ConnectionString);
        PostgresIdempotencyStore store = new(source);
        await store.EnsureCreatedAsync();
        List<Written> calls = [];
        foreach (int at in Cuts) calls.Add(await WriteAsync(resilience, hasRecord ? store : null, at));
        Dictionary<Guid, int> rows = await database.CountRowsAsync();
        foreach (Written call in calls)
        {
            call.Rows = rows.GetValueOrDefault(call.Operation);
            call.HasRecord = (await store.PeekAsync(call.Id)).State == IdempotencyState.Completed;
        }

        return calls;
    }

    private async Task<Written> WriteAsync(DatabaseResilience resilience, ITransactionalIdempotencyStore? store, int at)
    {
        Written call = new();
        await using Shop shop = database.OpenByProxy(resilience);
        if (at == AtOnce) database.Proxy.ArmAtOnce(Commit);
        else database.Proxy.Arm(Commit, at);
        try
        {
            await shop.InTransactionAsync((db, token) => AttemptAsync(db, call, store, token), isRepeatable: true);
        }
        catch (Exception error)
        {
            call.Error = error;
        }

        return call;
    }

    /// <summary>Claims, writes and completes in the transaction of the attempt; an attempt that finds the record done has nothing to do.</summary>
    private static async Task AttemptAsync(Shop db, Written call, ITransactionalIdempotencyStore? store, CancellationToken cancellationToken)
    {
        call.Attempts++;
        DbTransaction transaction = db.Database.CurrentTransaction!.GetDbTransaction();
        AcquireRequest request = new()
        {
            Id = call.Id,
            Nonce = Guid.NewGuid(),
            Lease = TimeSpan.FromMinutes(1),
            Retention = TimeSpan.FromHours(1),
            MaxAttempts = int.MaxValue,
        };
        AcquireResult claim = store is null ? default : await store.TryAcquireAsync(transaction, request, cancellationToken);
        if (claim.Status == AcquireStatus.Completed)
        {
            call.FoundItsRecord = true;
            return;
        }

        if (claim.Status == AcquireStatus.InFlight) throw new IOException("The attempt whose answer was lost is still committing.");
        db.Add(new Order { Operation = call.Operation });
        await db.SaveChangesAsync(cancellationToken);
        if (store is null) return;
        (await store.CompleteAsync(
            transaction, call.Id, claim.Fence, IdempotencyCompletion.Completed, ReadOnlyMemory<byte>.Empty, TimeSpan.FromHours(1), cancellationToken))
            .Should().BeTrue("the claim is of this transaction");
    }

    /// <summary>What came of a call.</summary>
    private sealed class Written
    {
        internal Guid Operation { get; } = Guid.NewGuid();

        internal IdempotencyId Id => IdempotencyKey.Shared(Operation.ToString()).ToId();

        internal int Attempts { get; set; }

        internal bool FoundItsRecord { get; set; }

        internal Exception? Error { get; set; }

        internal int Rows { get; set; }

        internal bool HasRecord { get; set; }

        public override string ToString() => $"{Attempts} attempts, {Rows} rows, record: {HasRecord}, {Error?.GetType().Name ?? "success"}";
    }
}
