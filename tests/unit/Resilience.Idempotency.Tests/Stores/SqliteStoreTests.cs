using System.Diagnostics;
using Microsoft.Data.Sqlite;
using Resilience.Testing;

namespace Resilience.Idempotency.Tests.Stores;

public sealed class SqliteStoreTests : IAsyncLifetime
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    private readonly SqliteSubject _subject = new();

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();

    private static AcquireRequest Request(IdempotencyId id, TimeSpan? lease = null) =>
        new() { Id = id, Nonce = Guid.NewGuid(), Lease = lease ?? Hour, Retention = Hour, MaxAttempts = 5 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_a_file_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject);

    [Fact]
    public async Task What_was_acknowledged_is_there_when_the_file_is_opened_again()
    {
        IdempotencyId id = NewId();
        SqliteIdempotencyStore first = new(_subject.ConnectionString);
        AcquireResult claim = await first.TryAcquireAsync(Request(id));
        await first.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, "receipt"u8.ToArray(), Hour);
        await first.DisposeAsync();

        await using SqliteIdempotencyStore second = new(_subject.ConnectionString);
        AcquireResult answer = await second.TryAcquireAsync(Request(id));

        answer.Status.Should().Be(AcquireStatus.Completed);
        answer.Payload.ToArray().Should().Equal("receipt"u8.ToArray());
    }

    [Fact]
    public async Task The_operation_and_its_record_are_committed_together()
    {
        SqliteIdempotencyStore store = (SqliteIdempotencyStore)await _subject.OpenAsync();
        IdempotencyId id = NewId();
        await store.PeekAsync(id); // creates the table
        await using SqliteConnection connection = new(_subject.ConnectionString + ";Pooling=false");
        connection.Open();
        Execute(connection, "CREATE TABLE ledger (amount INTEGER)");

        using (SqliteTransaction rolledBack = connection.BeginTransaction(deferred: false))
        {
            store.TryAcquire(rolledBack, Request(id)).Status.Should().Be(AcquireStatus.Acquired);
            Execute(connection, "INSERT INTO ledger VALUES (7)", rolledBack);
        }

        (await store.PeekAsync(id)).State.Should().Be(IdempotencyState.Absent, "what was rolled back never was");
        using (SqliteTransaction committed = connection.BeginTransaction(deferred: false))
        {
            AcquireResult claim = store.TryAcquire(committed, Request(id));
            Execute(connection, "INSERT INTO ledger VALUES (7)", committed);
            store.Complete(committed, id, claim.Fence, IdempotencyCompletion.Completed, "paid"u8.ToArray(), Hour).Should().BeTrue();
            committed.Commit();
        }

        (await store.TryAcquireAsync(Request(id))).Payload.ToArray().Should().Equal("paid"u8.ToArray());
        using SqliteCommand count = connection.CreateCommand();
        count.CommandText = "SELECT COUNT(*) FROM ledger";
        count.ExecuteScalar().Should().Be(1L);
    }

    [Fact]
    public async Task A_full_disk_is_reported_and_nothing_is_half_written()
    {
        SqliteIdempotencyStore store = (SqliteIdempotencyStore)await _subject.OpenAsync();
        IdempotencyId id = NewId();
        AcquireResult claim = await store.TryAcquireAsync(Request(id));

        // A limit on the number of pages stands for the disk: SQLite answers with the same error, 13.
        await using SqliteIdempotencyStore full = new(new SqliteIdempotencyOptions { ConnectionString = _subject.ConnectionString, MaxPayloadBytes = 1 << 20 });
        await full.PeekAsync(id);
        LimitPages(full);
        Func<Task> completing = () => full.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[1 << 20], Hour).AsTask();

        (await completing.Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault.Should().Be(IdempotencyStoreFault.Full);
        (await store.PeekAsync(id)).Should().Match<PeekResult>(p => p.State == IdempotencyState.InFlight && p.Fence == claim.Fence);
        (await full.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, "small"u8.ToArray(), Hour))
            .Should().BeTrue("a new connection has room again");
    }

    internal static void LimitPages(SqliteIdempotencyStore store)
    {
        SqliteConnection connection = (SqliteConnection)typeof(SqliteIdempotencyStore)
            .GetField("_connection", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!.GetValue(store)!;
        Execute(connection, "PRAGMA max_page_count=8");
    }

    [Theory]
    [InlineData("UPDATE idempotency_record SET nonce = 'text' WHERE id = $id")]
    [InlineData("UPDATE idempotency_record SET state = 9 WHERE id = $id")]
    [InlineData("UPDATE idempotency_record SET state = 'done' WHERE id = $id")]
    [InlineData("UPDATE idempotency_record SET fence = -1 WHERE id = $id")]
    [InlineData("UPDATE idempotency_record SET attempt = 99999999999 WHERE id = $id")]
    public async Task A_row_that_is_no_record_is_never_taken_for_a_free_one(string damage)
    {
        IIdempotencyStore store = await _subject.OpenAsync();
        IdempotencyId id = NewId(), other = NewId();
        await store.TryAcquireAsync(Request(id));
        _subject.Execute(damage, id);

        Task<AcquireResult> damaged = store.TryAcquireAsync(Request(id)).AsTask(), healthy = store.TryAcquireAsync(Request(other)).AsTask();

        (await FluentActions.Awaiting(() => damaged).Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault.Should().Be(IdempotencyStoreFault.Corrupt);
        (await healthy).Status.Should().Be(AcquireStatus.Acquired, "what is written together with it is not concerned");
    }

    [Fact]
    public async Task A_file_that_is_no_database_and_a_missing_table_are_named()
    {
        string path = Path.GetTempFileName();
        await File.WriteAllTextAsync(path, string.Concat(Enumerable.Repeat("this is no database ", 100)));
        await using SqliteIdempotencyStore garbage = new($"Data Source={path}");
        await using SqliteIdempotencyStore empty = new(new SqliteIdempotencyOptions { ConnectionString = "Data Source=:memory:", CreateTable = false });
        await using SqliteIdempotencyStore nowhere = new("Data Source=/no/such/folder/keys.db");

        (await Ask(garbage)).Should().Be(IdempotencyStoreFault.Misconfigured);
        (await Ask(empty)).Should().Be(IdempotencyStoreFault.Misconfigured);
        (await Ask(nowhere)).Should().Be(IdempotencyStoreFault.Misconfigured);
        File.Delete(path);

        static async Task<IdempotencyStoreFault> Ask(SqliteIdempotencyStore store) =>
            (await FluentActions.Awaiting(() => store.TryAcquireAsync(Request(NewId())).AsTask()).Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault;
    }

    [Theory]
    [InlineData("", "idempotency_record", "ConnectionString")]
    [InlineData("Data Source=x.db", "a; DROP TABLE b", "Table")]
    [InlineData("Data Source=x.db", "1st", "Table")]
    [InlineData("no such word=1", "idempotency_record", "ConnectionString")]
    public void Options_that_make_no_sense_are_rejected(string connectionString, string table, string option) =>
        FluentActions.Invoking(() => new SqliteIdempotencyStore(new SqliteIdempotencyOptions { ConnectionString = connectionString, Table = table }))
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Should().ContainSingle(p => p.Option == option);

    [Fact]
    public async Task Operations_that_wait_are_written_together()
    {
        await using SqliteIdempotencyStore store = new(_subject.ConnectionString); // with the disk told to write
        await store.PeekAsync(NewId());
        long before = CountCommits();

        AcquireResult[] answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(_ => store.TryAcquireAsync(Request(NewId())).AsTask()));

        answers.Should().OnlyContain(a => a.Status == AcquireStatus.Acquired);
        (CountCommits() - before).Should().BeLessThan(1000, "2,000 claims do not need 2,000 commits");
    }

    /// <summary>Each commit leaves frames in the write-ahead log, of which the last carries the size of the database: we count those.</summary>
    private long CountCommits()
    {
        string log = new SqliteConnectionStringBuilder(_subject.ConnectionString).DataSource + "-wal";
        using FileStream file = new(log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] header = new byte[32], frame = new byte[24];
        if (file.ReadAtLeast(header, 32, throwOnEndOfStream: false) < 32) return 0;
        int page = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8));
        long commits = 0;
        while (file.ReadAtLeast(frame, 24, throwOnEndOfStream: false) == 24)
        {
            if (System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4)) != 0) commits++;
            file.Seek(page, SeekOrigin.Current);
        }

        return commits;
    }

    private static void Execute(SqliteConnection connection, string statement, SqliteTransaction? transaction = null)
    {
        using SqliteCommand command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = statement;
        command.ExecuteNonQuery();
    }
}
