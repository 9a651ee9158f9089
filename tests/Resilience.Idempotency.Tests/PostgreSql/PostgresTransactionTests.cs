using System.Data;
using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>The deed and the record of it are committed together, or neither is.</summary>
public sealed class PostgresTransactionTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private readonly NpgsqlDataSource _source = server.Connect();

    private PostgresIdempotencyStore Store => new(_source);

    public async Task InitializeAsync()
    {
        await Store.EnsureCreatedAsync();
        await server.ExecuteAsync("CREATE TABLE IF NOT EXISTS deeds (id bytea NOT NULL)");
    }

    public async Task DisposeAsync() => await _source.DisposeAsync();

    private static AcquireRequest Ask(IdempotencyId id, TimeSpan? lease = null) =>
        new() { Id = id, Nonce = Guid.NewGuid(), Lease = lease ?? Long, Retention = Long, MaxAttempts = 3 };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static async Task DoAsync(NpgsqlTransaction transaction, IdempotencyId id)
    {
        await using NpgsqlCommand command = new("INSERT INTO deeds VALUES ($1)", transaction.Connection, transaction) { Parameters = { new() { Value = id.ToArray() } } };
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> DeedsAsync(IdempotencyId id) => (long)(await server.AskAsync($"SELECT count(*) FROM deeds WHERE id = '\\x{id.ToHex()}'"))!;

    private async Task UntilSomebodyWaitsAsync(int count = 1)
    {
        long start = TimeProvider.System.GetTimestamp();
        while ((long)(await server.AskAsync("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))! < count)
        {
            TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(TimeSpan.FromSeconds(20));
            await Task.Delay(5);
        }
    }

    [Fact]
    public async Task Committed_both_are_there_and_who_waited_receives_the_result()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        AcquireAnswer claim = await Store.TryAcquireAsync(transaction, Ask(id));
        (claim.Status, claim.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        Task<AcquireAnswer> second = Store.TryAcquireAsync(Ask(id)).AsTask();
        await UntilSomebodyWaitsAsync();
        second.IsCompleted.Should().BeFalse();
        (await Store.PeekAsync(id)).Should().Be(default(PeekAnswer), "nothing is known before the commit");
        await DoAsync(transaction, id);
        (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyEnding.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyEnding.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        await transaction.CommitAsync();

        AcquireAnswer answer = await second;
        answer.Status.Should().Be(AcquireStatus.Completed);
        answer.Payload.ToArray().Should().Equal(7);
        (await DeedsAsync(id)).Should().Be(1);
        await FluentActions.Awaiting(async () => await Store.TryAcquireAsync(transaction, Ask(id))).Should().ThrowAsync<InvalidOperationException>();
    }

    [Fact]
    public async Task Rolled_back_neither_is_there_and_who_waited_gets_a_whole_claim()
    {
        IdempotencyId id = NewId();
        TimeSpan lease = TimeSpan.FromSeconds(1);
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        AcquireAnswer claim = await Store.TryAcquireAsync(transaction, Ask(id));
        await DoAsync(transaction, id);
        await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyEnding.Completed, new byte[] { 7 }, Long);
        Task<AcquireAnswer> second = Store.TryAcquireAsync(Ask(id, lease)).AsTask();
        await UntilSomebodyWaitsAsync();

        // The second one's statement began before: until the server's clock is past the lease that it would have had from there.
        IdempotencyId marker = NewId();
        await Store.TryAcquireAsync(Ask(marker, lease));
        while ((await Store.PeekAsync(marker)).State != IdempotencyState.Lapsed) await Task.Delay(10);
        await transaction.RollbackAsync();
        AcquireAnswer answer = await second;
        (answer.Status, answer.Attempt).Should().Be((AcquireStatus.Acquired, 1));
        (await Store.PeekAsync(id)).State.Should().Be(IdempotencyState.InProgress, "the lease is counted from the grant, not from the question");
        (await DeedsAsync(id)).Should().Be(0);
    }

    [Fact]
    public async Task Of_many_transactions_that_crash_and_commit_exactly_one_does_the_deed()
    {
        IdempotencyId id = NewId();
        int completed = 0;
        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => Task.Run(async () =>
        {
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
            AcquireAnswer claim = await Store.TryAcquireAsync(transaction, Ask(id));
            if (claim.Status == AcquireStatus.Completed) Interlocked.Increment(ref completed);
            if (claim.Status != AcquireStatus.Acquired) return;
            await DoAsync(transaction, id);
            (await Store.CompleteAsync(transaction, id, claim.Fence, IdempotencyEnding.Completed, BitConverter.GetBytes(i), Long)).Should().BeTrue();
            if (i % 2 == 0) await transaction.CommitAsync(); // the others go away without a word
        })));
        (await DeedsAsync(id)).Should().Be(1);
        completed.Should().BeInRange(11, 23);
        (await Store.PeekAsync(id)).State.Should().Be(IdempotencyState.Completed);
    }

    [Fact]
    public async Task A_claim_that_is_refused_leaves_the_transaction_usable()
    {
        IdempotencyId id = NewId();
        AcquireAnswer holder = await Store.TryAcquireAsync(Ask(id));
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        (await Store.TryAcquireAsync(transaction, Ask(id))).Fence.Should().Be(holder.Fence);
        (await Store.CompleteAsync(transaction, id, holder.Fence + 1, IdempotencyEnding.Completed, default, Long)).Should().BeFalse();
        await DoAsync(transaction, id);
        await transaction.CommitAsync();
        (await DeedsAsync(id)).Should().Be(1);
    }

    [Fact]
    public async Task A_bounded_wait_ends_as_unavailable()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection first = await _source.OpenConnectionAsync(), second = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction holder = await first.BeginTransactionAsync(), waiter = await second.BeginTransactionAsync();
        await Store.TryAcquireAsync(holder, Ask(id));
        await using (NpgsqlCommand bound = new("SET LOCAL lock_timeout = '50ms'", second, waiter)) await bound.ExecuteNonQueryAsync();
        await FluentActions.Awaiting(async () => await Store.TryAcquireAsync(waiter, Ask(id))).Should().ThrowAsync<IdempotencyStoreException>()
            .Where(e => e.Fault == IdempotencyStoreFault.Unavailable);
    }

    [Fact]
    public async Task At_a_stricter_level_who_lost_is_told_to_begin_anew()
    {
        IdempotencyId id = NewId();
        await using NpgsqlConnection first = await _source.OpenConnectionAsync(), second = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction holder = await first.BeginTransactionAsync(), waiter = await second.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await Store.TryAcquireAsync(holder, Ask(id));
        Task<AcquireAnswer> waiting = Store.TryAcquireAsync(waiter, Ask(id)).AsTask();
        await UntilSomebodyWaitsAsync();
        await holder.CommitAsync();
        await FluentActions.Awaiting(() => waiting).Should().ThrowAsync<IdempotencyStoreException>().Where(e => e.IsTransient);
        await waiter.RollbackAsync();
        await using NpgsqlTransaction anew = await second.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        (await Store.TryAcquireAsync(anew, Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
    }
}
