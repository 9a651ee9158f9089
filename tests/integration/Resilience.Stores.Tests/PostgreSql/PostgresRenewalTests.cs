using Microsoft.Extensions.Time.Testing;
using Npgsql;
using NpgsqlTypes;
using Resilience.StoreTests.Servers;
using Resilience.Tests;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>Leases that are renewed together, in the real server.</summary>
public sealed class PostgresRenewalTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10), Bound = TimeSpan.FromSeconds(60);
    private static int _tables;
    private readonly PostgresIdempotencyOptions _options = new() { Table = $"renewed_{Interlocked.Increment(ref _tables)}" };
    private readonly NpgsqlDataSource _source = server.Connect();

    private PostgresIdempotencyStore Store => new(_source, _options);

    public Task InitializeAsync() => Store.EnsureCreatedAsync();

    public async Task DisposeAsync() => await _source.DisposeAsync();

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static async Task<(IdempotencyId Id, long Fence)> ClaimAsync(PostgresIdempotencyStore store)
    {
        IdempotencyId id = NewId();
        AcquireResult claim = await store.TryAcquireAsync(new() { Id = id, Nonce = Guid.NewGuid(), Lease = Long, Retention = Long, MaxAttempts = 3 });
        return (id, claim.Fence);
    }

    private async Task<(IdempotencyId Id, long Fence)[]> ClaimManyAsync(int count)
    {
        PostgresIdempotencyStore store = Store;
        List<(IdempotencyId, long)> claims = [];
        for (int i = 0; i < count; i++) claims.Add(await ClaimAsync(store));
        return [.. claims];
    }

    private async Task<double> LeaseOfAsync(IdempotencyId id) =>
        (double)(await server.AskAsync($"SELECT coalesce(date_part('epoch', lease_until - clock_timestamp()), 0) FROM {_options.Table} WHERE id = '\\x{id.ToHex()}'"))!;

    /// <summary>Whatever the machine does, no clock of ours lets a statement be overtaken: the count is exact.</summary>
    [Fact]
    public async Task Two_hundred_claims_that_are_due_together_are_renewed_in_two_statements()
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(200);
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port) + ";Maximum Pool Size=5;Write Buffer Size=32768");
        PostgresIdempotencyStore store = new(source, _options, new FakeTimeProvider());
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => store.PeekAsync(claims[0].Id).AsTask())); // connections are open
        proxy.Fault = Fault.BlackHole;
        int before = proxy.Requests;
        Task<bool>[] renewals = [.. claims.Select(c => store.RenewAsync(c.Id, c.Fence, TimeSpan.FromHours(5)).AsTask())];
        proxy.Fault = Fault.None; // all have come before the first is answered

        (await Task.WhenAll(renewals).WaitAsync(Bound)).Should().AllBeEquivalentTo(true);
        (proxy.Requests - before).Should().Be(2);
        (await server.AskAsync($"SELECT count(*) FROM {_options.Table} WHERE lease_until > now() + interval '4 hours'")).Should().Be(200L);
    }

    [Fact]
    public async Task Claims_of_a_gate_that_are_due_together_reach_the_server_together()
    {
        const int Claims = 100, Rounds = 3;
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port));
        Counting store = new(new PostgresIdempotencyStore(source, _options));
        FakeTimeProvider time = new();
        using IdempotencyGate gate = new(store, new(), time);
        List<IdempotencyResult> begun = [];
        for (int i = 0; i < Claims; i++) begun.Add(await gate.EnterAsync(NewId(), default));
        begun.Should().OnlyContain(b => b.Claim != null);
        int before = proxy.Requests;
        long start = TimeProvider.System.GetTimestamp();
        for (int round = 1; round <= Rounds; round++)
        {
            while (store.Renewed < round * Claims)
            {
                time.Advance(TimeSpan.FromSeconds(2.5)); // a tick of the gate's keeper

                // Until the gate has noted each answer: time that moves on before makes it late, and in the end lost.
                while (store.UnderWay > 0 || begun.Exists(static b => b.Claim!.Lease.IsRenewing))
                {
                    TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(Bound);
                    await Task.Delay(1);
                }
            }
        }

        // Claims spread over a tenth of their third, and of those that are due in one tick the first goes alone.
        (proxy.Requests - before).Should().BeLessThan(store.Renewed / 4);
        begun.Should().OnlyContain(b => !b.Claim!.IsLost);
        foreach (IdempotencyResult one in begun) await one.Claim!.ReleaseAsync();
    }

    [Fact]
    public async Task Each_of_many_hears_its_own_answer_and_receives_its_own_lease()
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(12);
        await Store.CompleteAsync(claims[3].Id, claims[3].Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long);
        await Store.ReleaseAsync(claims[5].Id, claims[5].Fence);
        claims[7].Fence--;
        claims[9].Id = NewId();
        bool[] expected = [.. Enumerable.Range(0, 12).Select(i => i is not (3 or 5 or 7 or 9))];
        foreach (int first in new[] { 0, 3 }) // alone goes one that is held, or one that is not
        {
            PostgresIdempotencyStore store = Store;
            Task<bool>[] renewals =
                [.. Enumerable.Range(0, 12).Select(i => (i + first) % 12).Select(i => store.RenewAsync(claims[i].Id, claims[i].Fence, TimeSpan.FromMinutes(20 + i)).AsTask())];
            bool[] answers = await Task.WhenAll(renewals).WaitAsync(Bound);
            for (int i = 0; i < 12; i++) answers[(i - first + 12) % 12].Should().Be(expected[i], "it is number {0}", i);
        }

        for (int i = 0; i < 12; i++)
        {
            if (expected[i]) (await LeaseOfAsync(claims[i].Id) / 60).Should().BeInRange(20 + i - 3, 20 + i);
        }

        (await Store.PeekAsync(claims[3].Id)).State.Should().Be(IdempotencyState.Completed);
        (await Store.PeekAsync(claims[5].Id)).State.Should().Be(IdempotencyState.Absent);
    }

    /// <summary>The rows of some are locked by transactions of the user: these wait for their rows, as one that is renewed alone does, and the rest does not wait.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_row_that_a_transaction_has_locked_is_waited_for_by_its_own_renewal_and_by_no_other(bool commits)
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(10);
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        foreach (int locked in new[] { 0, 4, 8 })
            (await Store.CompleteAsync(transaction, claims[locked].Id, claims[locked].Fence, IdempotencyCompletion.Completed, new byte[] { 7 }, Long)).Should().BeTrue();
        PostgresIdempotencyStore store = Store;
        Task<bool>[] renewals = [.. claims.Select(c => store.RenewAsync(c.Id, c.Fence, Long).AsTask())]; // the one that goes alone and first is locked too

        for (int i = 0; i < 10; i++)
        {
            if (i is not (0 or 4 or 8)) (await renewals[i].WaitAsync(Bound)).Should().BeTrue();
        }

        foreach (int locked in new[] { 0, 4, 8 }) renewals[locked].IsCompleted.Should().BeFalse("nothing is known of it yet, least of all that it is lost");
        await (commits ? transaction.CommitAsync() : transaction.RollbackAsync());
        foreach (int locked in new[] { 0, 4, 8 }) (await renewals[locked].WaitAsync(Bound)).Should().Be(!commits);
    }

    [Fact]
    public async Task A_row_that_cannot_be_reckoned_with_fails_only_its_own_renewal()
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(20);
        await server.ExecuteAsync($"UPDATE {_options.Table} SET expires_at = 'infinity' WHERE id IN ('\\x{claims[7].Id.ToHex()}', '\\x{claims[15].Id.ToHex()}')");
        PostgresIdempotencyStore store = Store;
        Task<bool>[] renewals = [.. claims.Select(c => store.RenewAsync(c.Id, c.Fence, Long).AsTask())];
        for (int i = 0; i < 20; i++)
        {
            if (i is 7 or 15)
                (await FluentActions.Awaiting(() => renewals[i].WaitAsync(Bound)).Should().ThrowAsync<IdempotencyStoreException>()).Which.Fault.Should().Be(IdempotencyStoreFault.Corrupt);
            else (await renewals[i].WaitAsync(Bound)).Should().BeTrue();
        }
    }

    [Fact]
    public async Task An_outage_is_told_to_each_of_a_statement_as_to_one_alone()
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(20);
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port) + ";Maximum Pool Size=1");
        PostgresIdempotencyStore store = new(source, _options);
        await store.PeekAsync(claims[0].Id);
        proxy.Fault = Fault.Reset;
        Task<bool>[] renewals = [.. claims.Select(c => store.RenewAsync(c.Id, c.Fence, Long).AsTask())];
        foreach (Task<bool> one in renewals)
        {
            (await FluentActions.Awaiting(() => one.WaitAsync(Bound)).Should().ThrowAsync<IdempotencyStoreException>())
                .Which.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
        }

        proxy.Fault = Fault.None;
        (await store.RenewAsync(claims[0].Id, claims[0].Fence, Long)).Should().BeTrue();
    }

    [Fact]
    public async Task A_setup_that_is_wrong_is_told_to_each()
    {
        PostgresIdempotencyStore store = new(_source, new() { Table = "renewed_nowhere" });
        Task<bool>[] renewals = [.. Enumerable.Range(0, 20).Select(_ => store.RenewAsync(NewId(), 1, Long).AsTask())];
        foreach (Task<bool> one in renewals)
        {
            (await FluentActions.Awaiting(() => one.WaitAsync(Bound)).Should().ThrowAsync<IdempotencyStoreException>())
                .Which.Fault.Should().Be(IdempotencyStoreFault.Misconfigured);
        }
    }

    /// <summary>The clients of two processes renew the same rows, each in the opposite order of the other, while others lock single rows for moments.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(";Options=-c default_transaction_isolation=serializable")]
    public async Task Two_that_renew_the_same_rows_in_opposite_orders_never_deadlock(string level)
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(60);
        long before = await DeadlocksAsync();
        await using NpgsqlDataSource first = NpgsqlDataSource.Create(server.ConnectionString + level), second = NpgsqlDataSource.Create(server.ConnectionString + level);
        PostgresIdempotencyStore one = new(first, _options), two = new(second, _options);
        for (int round = 0; round < 25; round++)
        {
            Task<bool>[] renewals =
            [
                .. claims.Select(c => one.RenewAsync(c.Id, c.Fence, Long).AsTask()),
                .. claims.Reverse().Select(c => two.RenewAsync(c.Id, c.Fence, Long).AsTask()),
            ];
            (await Task.WhenAll(renewals).WaitAsync(Bound)).Should().AllBeEquivalentTo(true);
        }

        (await DeadlocksAsync() - before).Should().Be(0);

        async Task<long> DeadlocksAsync()
        {
            await server.ExecuteAsync("SELECT pg_stat_clear_snapshot()");
            return (long)(await server.AskAsync("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"))!;
        }
    }

    [Fact]
    public async Task The_statement_for_several_keeps_its_promises() => await CheckStatementAsync(new PostgresStatements(_options.Schema, _options.Table).RenewSeveral);

    [Theory]
    [InlineData("SKIP LOCKED", "")] // waits for rows, in whatever order: two of them deadlock
    [InlineData("SKIP LOCKED", "NOWAIT")] // one locked row fails all
    [InlineData(" AND r.fence = a.fence\n        WHERE r.state = 1 FOR", "\n        WHERE r.state = 1 FOR")] // renews the claim of a successor
    [InlineData("WHERE r.state = 1 FOR", "WHERE true FOR")] // renews what is completed
    [InlineData("RETURNING f.number", "RETURNING row_number() OVER () AS number")] // numbers what it did, not what was asked
    [InlineData("SELECT number, true FROM renewed", "SELECT row_number() OVER (), true FROM renewed")] // the same, where it can be written
    [InlineData("AND NOT EXISTS (SELECT FROM renewed AS n WHERE n.number = a.number)", "AND false")] // a locked row is told to be lost
    [InlineData("f.lease", "$3[1]")] // one lease for all
    public async Task A_planted_flaw_in_the_statement_for_several_is_found(string part, string planted)
    {
        string sound = new PostgresStatements(_options.Schema, _options.Table).RenewSeveral, flawed = sound.Replace(part, planted, StringComparison.Ordinal);
        flawed.Should().NotBe(sound, "the flaw must be planted");
        await FluentActions.Awaiting(() => CheckStatementAsync(flawed)).Should().ThrowAsync<Exception>();
    }

    private async Task CheckStatementAsync(string sql)
    {
        (IdempotencyId Id, long Fence)[] claims = await ClaimManyAsync(6);
        await Store.CompleteAsync(claims[1].Id, claims[1].Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long);
        claims[2].Fence--;
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        await Store.CompleteAsync(transaction, claims[3].Id, claims[3].Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long);

        Dictionary<long, bool> answers = [];
        await using NpgsqlCommand command = _source.CreateCommand(sql);
        command.CommandTimeout = 2; // it waits for no row
        command.Parameters.Add(new() { Value = claims.Select(c => c.Id.ToArray()).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea });
        command.Parameters.Add(new() { Value = claims.Select(c => c.Fence).ToArray() });
        command.Parameters.Add(new() { Value = Enumerable.Range(1, 6).Select(i => i * 3_600_000_000L).ToArray() });
        await using (NpgsqlDataReader reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync()) answers.Add(reader.GetInt64(0), reader.GetBoolean(1));
        }

        answers.Should().BeEquivalentTo(new Dictionary<long, bool> { [1] = true, [4] = false, [5] = true, [6] = true });
        await transaction.RollbackAsync();
        double[] hours = [.. await Task.WhenAll(claims.Select(async c => await LeaseOfAsync(c.Id) / 3600))];
        hours[0].Should().BeInRange(0.9, 1);
        hours[2].Should().BeLessThan(0.2, "the claim of another is as it was");
        hours[3].Should().BeLessThan(0.2);
        hours[4].Should().BeInRange(4.9, 5);
        hours[5].Should().BeInRange(5.9, 6);
        (await Store.PeekAsync(claims[1].Id)).State.Should().Be(IdempotencyState.Completed);
    }

    /// <summary>Counts renewals.</summary>
    private sealed class Counting(IIdempotencyStore inner) : ForwardingStore(inner)
    {
        private int _begun, _renewed;

        internal int Renewed => Volatile.Read(ref _renewed);

        internal int UnderWay => Volatile.Read(ref _begun) - Renewed;

        public override async ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default)
        {
            Interlocked.Increment(ref _begun);
            bool isHeld = await base.RenewAsync(id, fence, lease, cancellationToken);
            Interlocked.Increment(ref _renewed);
            return isHeld;
        }
    }
}
