using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Resilience.StoreTests.Servers;

/// <summary>The record of an operation and its rows are committed by one transaction: claims of a gate that are completed in the caller's.</summary>
public sealed class CompleteInTransactionTests(PostgresServer postgres) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private static readonly byte[] Receipt = "receipt"u8.ToArray();

    private readonly List<IAsyncDisposable> _open = [];
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"in-transaction-{Guid.NewGuid():N}.db");

    public static TheoryData<string> Stores => ["sqlite", "postgresql"];

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Committed_the_rows_and_the_record_are_there_and_all_receive_the_receipt(string kind)
    {
        using IdempotencyGate gate = new(await OpenAsync(kind)), elsewhere = new(await OpenAsync(kind), new() { WhenInFlight = WhenInFlight.Reject });
        (IdempotencyId id, string row) = NewOperation();
        await using IdempotencyClaim claim = (await gate.EnterAsync(id, default)).Claim!;
        await using DbConnection connection = await ConnectAsync(kind);
        await using DbTransaction transaction = await connection.BeginTransactionAsync();
        await InsertAsync(transaction, row);
        Task<IdempotencyResult> waiting = gate.EnterAsync(id, default).AsTask();

        (await claim.CompleteInAsync(transaction, IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept);
        (await elsewhere.EnterAsync(id, default)).Status.Should().Be(IdempotencyStatus.InFlight, "a duplicate that meets the open transaction is answered");
        await transaction.CommitAsync();
        claim.Committed();

        (await waiting).Content.ToArray().Should().Equal(Receipt);
        (await elsewhere.EnterAsync(id, default)).Content.ToArray().Should().Equal(Receipt);
        (await CountAsync(kind, row)).Should().Be(1);
        claim.Invoking(c => c.Committed()).Should().Throw<InvalidOperationException>();
        await claim.Awaiting(c => c.CompleteAsync(IdempotencyPayloadKind.Value, default).AsTask()).Should().ThrowAsync<InvalidOperationException>();
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Rolled_back_neither_is_there_and_the_key_can_be_given_back(string kind)
    {
        using IdempotencyGate gate = new(await OpenAsync(kind));
        (IdempotencyId id, string row) = NewOperation();
        await using IdempotencyClaim claim = (await gate.EnterAsync(id, default)).Claim!;
        await using DbConnection connection = await ConnectAsync(kind);
        await using (DbTransaction transaction = await connection.BeginTransactionAsync())
        {
            await InsertAsync(transaction, row);
            await claim.CompleteInAsync(transaction, IdempotencyPayloadKind.Value, Receipt);
            claim.IsInTransaction.Should().BeTrue();
            await transaction.RollbackAsync();
        }

        (await claim.ReleaseAsync()).Should().Be(IdempotencyFinish.Kept);
        (await gate.EnterAsync(id, default)).Claim!.Attempt.Should().Be(1);
        (await CountAsync(kind, row)).Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task A_claim_that_was_replaced_is_told_to_roll_back(string kind)
    {
        IIdempotencyStore store = await OpenAsync(kind);
        using IdempotencyGate gate = new(store);
        (IdempotencyId id, string row) = NewOperation();
        await using IdempotencyClaim claim = (await gate.EnterAsync(id, default)).Claim!;
        (await store.RenewAsync(id, claim.Fence, TimeSpan.FromMicroseconds(1))).Should().BeTrue();
        AcquireResult successor;
        do successor = await store.TryAcquireAsync(new() { Id = id, Nonce = Guid.NewGuid(), Lease = TimeSpan.FromMinutes(1), Retention = TimeSpan.FromMinutes(1), MaxAttempts = 9 });
        while (successor.Status != AcquireStatus.Acquired);
        await using DbConnection connection = await ConnectAsync(kind);
        await using DbTransaction transaction = await connection.BeginTransactionAsync();
        await InsertAsync(transaction, row);

        (await claim.CompleteInAsync(transaction, IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Lost);
        await transaction.RollbackAsync();

        (await CountAsync(kind, row)).Should().Be(0);
        gate.Flights.Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(Stores))]
    public async Task Whether_it_was_committed_is_answered_after_the_acknowledgement_was_lost(string kind)
    {
        ITransactionalIdempotencyStore store = (ITransactionalIdempotencyStore)await OpenAsync(kind);
        using IdempotencyGate gate = new(store);
        foreach (bool commits in (bool[])[true, false])
        {
            (IdempotencyId id, string row) = NewOperation();
            await using IdempotencyClaim claim = (await gate.EnterAsync(id, default)).Claim!;
            await using DbConnection connection = await ConnectAsync(kind);
            await using DbTransaction transaction = await connection.BeginTransactionAsync();
            await InsertAsync(transaction, row);
            await claim.CompleteInAsync(transaction, IdempotencyPayloadKind.Value, Receipt);
            await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());

            CommitResolution resolved = await store.ResolveAsync(id, claim.Nonce, TimeSpan.FromSeconds(30));

            resolved.Should().Be(commits ? CommitResolution.Committed : CommitResolution.RolledBack);
        }
    }

    [Fact]
    public async Task A_store_without_transactions_says_so_and_the_claim_stays_open()
    {
        using IdempotencyGate gate = new();
        await using IdempotencyClaim claim = (await gate.EnterAsync(NewOperation().Id, default)).Claim!;
        await using DbConnection connection = await ConnectAsync("sqlite");
        await using DbTransaction transaction = await connection.BeginTransactionAsync();

        await claim.Awaiting(c => c.CompleteInAsync(transaction, IdempotencyPayloadKind.Value, Receipt).AsTask()).Should().ThrowAsync<NotSupportedException>();

        (await claim.CompleteAsync(IdempotencyPayloadKind.Value, Receipt)).Should().Be(IdempotencyFinish.Kept);
    }

    private static (IdempotencyId Id, string Row) NewOperation()
    {
        string row = Guid.NewGuid().ToString("N");
        return (IdempotencyKey.Shared(row).ToId(), row);
    }

    private async Task<IIdempotencyStore> OpenAsync(string kind)
    {
        if (kind == "sqlite")
        {
            SqliteIdempotencyStore sqlite = new($"Data Source={_file}");
            _open.Add(sqlite);
            await sqlite.PurgeAsync(1); // creates the table
            return sqlite;
        }

        NpgsqlDataSource source = NpgsqlDataSource.Create(postgres.ConnectionString);
        _open.Add(source);
        PostgresIdempotencyStore store = new(source);
        await store.EnsureCreatedAsync();
        return store;
    }

    private async Task<DbConnection> ConnectAsync(string kind)
    {
        DbConnection connection = kind == "sqlite" ? new SqliteConnection($"Data Source={_file};Pooling=False") : new NpgsqlConnection(postgres.ConnectionString);
        await connection.OpenAsync();
        await using DbCommand create = connection.CreateCommand();
        create.CommandText = "CREATE TABLE IF NOT EXISTS orders (id text NOT NULL)";
        await create.ExecuteNonQueryAsync();
        return connection;
    }

    private static async Task InsertAsync(DbTransaction transaction, string row)
    {
        await using DbCommand insert = transaction.Connection!.CreateCommand();
        insert.Transaction = transaction;
        insert.CommandText = $"INSERT INTO orders VALUES ('{row}')";
        await insert.ExecuteNonQueryAsync();
    }

    private async Task<long> CountAsync(string kind, string row)
    {
        await using DbConnection connection = await ConnectAsync(kind);
        await using DbCommand count = connection.CreateCommand();
        count.CommandText = $"SELECT count(*) FROM orders WHERE id = '{row}'";
        return (long)(await count.ExecuteScalarAsync())!;
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (IAsyncDisposable one in _open) await one.DisposeAsync();
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
    }
}
