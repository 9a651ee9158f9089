using System.Data;
using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>The operation and the record of it are committed together, or neither is.</summary>
public sealed class PostgresTransactionTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private readonly NpgsqlDataSource _source = server.Connect();

    private PostgresIdempotencyStore Store => new(_source);

    public async Task InitializeAsync()
    {
        await Store.EnsureCreatedAsync();
        await server.ExecuteAsync("CREATE TABLE IF NOT EXISTS operations (id bytea NOT NULL)");
    }

    public async Task DisposeAsync() => await _source.DisposeAsync();

    private static AcquireRequest Ask(IdempotencyId id, TimeSpan? lease = null) =>
        new() { Id = id, Nonce = Guid.NewGuid(), Lease = lease ?? Long, Retention = Long, MaxAttempts = 3 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static async Task DoAsync(NpgsqlTransaction transaction, IdempotencyId id)
    {
        await using NpgsqlCommand command = new("INSERT INTO operations VALUES ($1)", transaction.Connection, transaction) { Parameters = { new() { Value = id.ToArray() } } };
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> OperationsAsync(IdempotencyId id) => (long)(await server.AskAsync($"SELECT count(*) FROM operations WHERE id = '\\x{id.ToHex()}'"))!;

    [Fact]
    public async Task Committed_both_are_there_and_a_caller_meanwhile_learns_that_it_is_in_flight()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        AcquireResult claim = await Store.TryAcquireAsync(transaction, Ask(id));
        (claim.Status, claim.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        (await Store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight, "no call waits for a transaction");
        (await Store.PeekAsync(id)).Should().Be(default(PeekResult), "nothing is known before the commit");
        await DoAsync(transaction, id);
        (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        (await Store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
        await transaction.CommitAsync();

        AcquireResult answer = await Store.TryAcquireAsync(Ask(id));
        answer.Status.Should().Be(AcquireStatus.Completed);
        answer.Payload.ToArray().Should().Equal(7);
        (await OperationsAsync(id)).Should().Be(1);
        await FluentActions.Awaiting(async () => await Store.TryAcquireAsync(transaction, Ask(id))).Should().ThrowAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task An_open_transaction_is_not_decided_about_and_is_not_waited_for()
    {
        IdempotencyId id = NewId();
        long fence = (await Store.TryAcquireAsync(Ask(id, TimeSpan.FromMicroseconds(1)))).Fence;
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        (await Store.CompleteAsync(transaction, id, fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        ResolveRequest decision = new() { Id = id, Nonce = Guid.NewGuid(), Completion = IdempotencyCompletion.None };

        ResolveResult during = await Store.ResolveRecordAsync(decision).AsTask().WaitAsync(TimeSpan.FromSeconds(30));
        await transaction.CommitAsync();
        ResolveResult after = await Store.ResolveRecordAsync(decision);

        during.Should().Be(new ResolveResult(ResolveStatus.InFlight, fence));
        after.Should().Be(new ResolveResult(ResolveStatus.Completed, fence));
    }

    [Fact]
    public async Task Rolled_back_neither_is_there_and_the_next_gets_a_whole_claim()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        AcquireResult claim = await Store.TryAcquireAsync(transaction, Ask(id));
        await DoAsync(transaction, id);
        await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long);
        (await Store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
        await transaction.RollbackAsync();
        AcquireResult answer = await Store.TryAcquireAsync(Ask(id));
        (answer.Status, answer.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        (await OperationsAsync(id)).Should().Be(0);
    }

    [Fact]
    public async Task Of_many_transactions_that_crash_and_commit_exactly_one_does_the_operation()
    {
        IdempotencyId id = NewId();
        int completed = 0;
        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(async () =>
        {
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
            AcquireResult claim = await Store.TryAcquireAsync(transaction, Ask(id));
            while (claim.Status == AcquireStatus.InFlight) claim = await Store.TryAcquireAsync(transaction, Ask(id));
            if (claim.Status == AcquireStatus.Completed) Interlocked.Increment(ref completed);
            if (claim.Status != AcquireStatus.Acquired) return;
            await DoAsync(transaction, id);
            (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, BitConverter.GetBytes(i), Long)).Should().BeTrue();
            if (i % 2 == 0) await transaction.CommitAsync(); // the others go away without a word
        })));
        (await OperationsAsync(id)).Should().Be(1);
        completed.Should().BeInRange(11, 23);
        (await Store.PeekAsync(id)).State.Should().Be(IdempotencyState.Completed);
    }

    [Fact]
    public async Task A_claim_that_is_rejected_leaves_the_transaction_usable()
    {
        IdempotencyId id = NewId();
        AcquireResult holder = await Store.TryAcquireAsync(Ask(id));
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        (await Store.TryAcquireAsync(transaction, Ask(id))).Fence.Should().Be(holder.Fence);
        (await Store.CompleteAsync(transaction, id, holder.Fence + 1, IdempotencyCompletion.Completed, default, Long)).Should().BeFalse();
        await DoAsync(transaction, id);
        await transaction.CommitAsync();
        (await OperationsAsync(id)).Should().Be(1);
    }

    [Fact]
    public async Task At_a_stricter_level_a_caller_that_meets_an_open_transaction_gets_an_error_and_keeps_its_own()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection first = await _source.OpenConnectionAsync(), second = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction holder = await first.BeginTransactionAsync(), other = await second.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await Store.TryAcquireAsync(holder, Ask(id));
        (await Store.TryAcquireAsync(other, Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
        await DoAsync(other, id);
        await holder.CommitAsync();
        await other.CommitAsync();
        (await OperationsAsync(id)).Should().Be(1);
    }

    [Fact]
    public async Task A_duplicate_that_meets_an_open_transaction_after_the_lease_has_ended_is_told_that_it_is_in_flight()
    {
        IdempotencyId id = NewId();
        AcquireResult claim = await Store.TryAcquireAsync(Ask(id, TimeSpan.FromMilliseconds(1)));
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        while ((await Store.PeekAsync(id)).State != IdempotencyState.Lapsed) await Task.Delay(1);

        (await Store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight, "the row is locked, and no call waits for it");

        await transaction.CommitAsync();
        (await Store.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(7);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_in_doubt_is_waited_for_and_answered_truly(bool commits)
    {
        IdempotencyId id = NewId();
        AcquireRequest request = Ask(id);
        AcquireResult claim = await Store.TryAcquireAsync(request);
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long);
        (await Store.ResolveAsync(id, request.Nonce, TimeSpan.FromMilliseconds(100))).Should().Be(CommitResolution.Unknown, "it is still open");
        Task<CommitResolution> resolving = Store.ResolveAsync(id, request.Nonce, TimeSpan.FromSeconds(30)).AsTask();
        await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());

        (await resolving).Should().Be(commits ? CommitResolution.Committed : CommitResolution.RolledBack);
        (await Store.ResolveAsync(id, Guid.NewGuid(), TimeSpan.FromSeconds(30))).Should().Be(CommitResolution.RolledBack, "another claim's record is no commit of this one");
    }
}
