using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>What is particular to PostgreSQL: the table, broken rows, lost replies, and what its errors mean.</summary>
public sealed class PostgresStoreTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private static int _tables;

    private static AcquireRequest Ask(IdempotencyId id, Guid? nonce = null, TimeSpan? lease = null) => new()
    {
        Id = id,
        Nonce = nonce ?? Guid.NewGuid(),
        Lease = lease ?? Long,
        Retention = Long,
        MaxAttempts = 3,
    };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static PostgresIdempotencyOptions NewTable() => new() { Table = $"records_{Interlocked.Increment(ref _tables)}" };

    private static Task<IdempotencyStoreException> FaultOf(Func<Task> ask, IdempotencyStoreFault fault) =>
        ask.Should().ThrowAsync<IdempotencyStoreException>().Where(e => e.Fault == fault && e.IsTransient == (fault == IdempotencyStoreFault.Unavailable))
            .ContinueWith(t => t.GetAwaiter().GetResult().Which, TaskScheduler.Default);

    private async Task<PostgresIdempotencyStore> CreateAsync(NpgsqlDataSource source, PostgresIdempotencyOptions? options = null)
    {
        PostgresIdempotencyStore store = new(source, options ?? NewTable());
        await store.EnsureCreatedAsync();
        return store;
    }

    [Fact]
    public async Task Many_processes_create_the_table_at_once_and_again()
    {
        PostgresIdempotencyOptions options = new() { Schema = "App", Table = "Records" };
        NpgsqlDataSource[] sources = [.. Enumerable.Range(0, 12).Select(_ => server.Connect())];
        await Task.WhenAll(sources.Select(s => Task.Run(() => new PostgresIdempotencyStore(s, options).EnsureCreatedAsync())));
        await new PostgresIdempotencyStore(sources[0], options).EnsureCreatedAsync();
        (await new PostgresIdempotencyStore(sources[0], options).TryAcquireAsync(Ask(NewId()))).Status.Should().Be(AcquireStatus.Acquired);
        (await server.AskAsync("SELECT count(*) FROM \"App\".\"Records\"")).Should().Be(1L);
        (await server.AskAsync("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).Should().Be(0L);
        foreach (NpgsqlDataSource source in sources) await source.DisposeAsync();
    }

    [Fact]
    public async Task The_script_can_be_run_by_hand_and_again_and_needs_no_other_right_afterwards()
    {
        PostgresIdempotencyOptions options = new() { Schema = "by_hand", Table = "records" };
        string script = PostgresIdempotencyStore.CreateScript(options);
        await server.ExecuteAsync(script);
        await server.ExecuteAsync(script);
        await server.ExecuteAsync("CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA by_hand TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON by_hand.records TO app");
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionString.Replace("Username=postgres", "Username=app", StringComparison.Ordinal));
        PostgresIdempotencyStore store = await CreateAsync(source, options);
        AcquireResult claim = await store.TryAcquireAsync(Ask(NewId()));
        claim.Status.Should().Be(AcquireStatus.Acquired);
        await FaultOf(async () => await new PostgresIdempotencyStore(source, new() { Schema = "theirs" }).EnsureCreatedAsync(), IdempotencyStoreFault.Misconfigured);
        await server.ExecuteAsync("REVOKE INSERT ON by_hand.records FROM app");
        await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Misconfigured);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a\"b")]
    [InlineData("a;drop table x")]
    [InlineData("a.b")]
    [InlineData("1a")]
    [InlineData("a-b")]
    [InlineData("é")]
    [InlineData("a\0")]
    [InlineData("a23456789012345678901234567890123456789012345678x")]
    public async Task Hostile_names_are_rejected(string name)
    {
        await using NpgsqlDataSource source = server.Connect();
        FluentActions.Invoking(() => new PostgresIdempotencyStore(source, new() { Table = name }))
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Should().ContainSingle(p => p.Option == "Table");
        FluentActions.Invoking(() => new PostgresIdempotencyStore(source, new() { Schema = name }))
            .Should().Throw<ResilienceOptionsException>().Which.Problems.Should().ContainSingle(p => p.Option == "Schema");
        FluentActions.Invoking(() => PostgresIdempotencyStore.CreateScript(new() { Table = name })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new PostgresIdempotencyStore(source, new() { MaxPayloadBytes = 0 })).Should().Throw<ArgumentException>();
    }

    [Fact]
    public async Task A_missing_table_database_or_column_is_a_matter_of_setup()
    {
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyStore store = new(source, new() { Table = "nowhere" });
        IdempotencyId id = NewId();
        await FaultOf(async () => await store.TryAcquireAsync(Ask(id)), IdempotencyStoreFault.Misconfigured);
        await FaultOf(async () => await store.RenewAsync(id, 1, Long), IdempotencyStoreFault.Misconfigured);
        await FaultOf(async () => await store.CompleteAsync(id, 1, IdempotencyCompletion.Completed, default, Long), IdempotencyStoreFault.Misconfigured);
        await FaultOf(async () => await store.ReleaseAsync(id, 1), IdempotencyStoreFault.Misconfigured);
        await FaultOf(async () => await store.PeekAsync(id), IdempotencyStoreFault.Misconfigured);
        await FaultOf(async () => await store.PurgeAsync(1), IdempotencyStoreFault.Misconfigured);

        await using NpgsqlDataSource elsewhere = NpgsqlDataSource.Create(server.ConnectionString.Replace("Database=postgres", "Database=nowhere", StringComparison.Ordinal));
        await FaultOf(async () => await new PostgresIdempotencyStore(elsewhere).EnsureCreatedAsync(), IdempotencyStoreFault.Misconfigured);
        await server.ExecuteAsync("CREATE TABLE foreign_one (id text PRIMARY KEY, state text)");
        await FaultOf(async () => await new PostgresIdempotencyStore(source, new() { Table = "foreign_one" }).PeekAsync(id), IdempotencyStoreFault.Misconfigured);
    }

    [Theory]
    [InlineData("state = 9", true)]
    [InlineData("state = NULL", true)]
    [InlineData("fence = 0", true)]
    [InlineData("fence = NULL", true)]
    [InlineData("attempt = -1, lease_until = now() - interval '1 hour'", false)]
    [InlineData("fence = 9223372036854775807, lease_until = now() - interval '1 hour'", false)]
    [InlineData("nonce = NULL", false)]
    [InlineData("lease_until = NULL", true)]
    [InlineData("lease_until = 'infinity'", true)]
    [InlineData("expires_at = NULL", true)]
    [InlineData("fingerprint = '\\x00'", false)]
    [InlineData("fingerprint = NULL", false)]
    [InlineData("state = 2, payload = NULL", false)]
    public async Task A_broken_row_is_never_granted_and_named_as_what_it_is(string change, bool isSeenByPeek)
    {
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        PostgresIdempotencyStore store = await CreateAsync(source, options);
        await server.ExecuteAsync($"""
            DO $$ DECLARE c record; BEGIN
              FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = '{options.Table}'::regclass AND contype = 'c' LOOP
                EXECUTE format('ALTER TABLE {options.Table} DROP CONSTRAINT %I', c.conname);
              END LOOP;
            END $$;
            ALTER TABLE {options.Table} ALTER state DROP NOT NULL, ALTER fence DROP NOT NULL, ALTER fingerprint DROP NOT NULL, ALTER expires_at DROP NOT NULL
            """);
        IdempotencyId id = NewId();
        await store.TryAcquireAsync(Ask(id));
        await server.ExecuteAsync($"UPDATE {options.Table} SET {change}");
        await FaultOf(async () => await store.TryAcquireAsync(Ask(id)), IdempotencyStoreFault.Corrupt);
        if (isSeenByPeek) await FaultOf(async () => await store.PeekAsync(id), IdempotencyStoreFault.Corrupt);
        else (await store.PeekAsync(id)).Fence.Should().BePositive();
    }

    [Fact]
    public async Task Impossible_rows_are_rejected_by_the_table_itself()
    {
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        PostgresIdempotencyStore store = await CreateAsync(source, options);
        await store.TryAcquireAsync(Ask(NewId()));
        foreach (string change in new[] { "state = 9", "fence = 0", "attempt = 0", "nonce = NULL", "lease_until = NULL", "fingerprint = ''", "state = 2", "id = ''" })
        {
            (await FluentActions.Awaiting(() => server.ExecuteAsync($"UPDATE {options.Table} SET {change}")).Should().ThrowAsync<PostgresException>())
                .Which.SqlState.Should().Be(PostgresErrorCodes.CheckViolation, change);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_reply_is_lost_the_same_nonce_gets_the_same_claim_and_the_same_outcome(bool cut)
    {
        await using NpgsqlDataSource direct = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        PostgresIdempotencyStore witness = await CreateAsync(direct, options);
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port));
        PostgresIdempotencyStore store = new(source, options);
        await store.PeekAsync(NewId()); // the connection is open: what is lost next is the reply to the claim
        IdempotencyId id = NewId();
        Guid nonce = Guid.NewGuid();

        proxy.Fault = cut ? Fault.CutReply : Fault.LoseReply;
        await FaultOf(async () => await store.TryAcquireAsync(Ask(id, nonce)), IdempotencyStoreFault.Unavailable);
        proxy.Struck.IsCompleted.Should().BeTrue();
        proxy.Fault = Fault.None;
        PeekResult done = await witness.PeekAsync(id);
        done.State.Should().Be(IdempotencyState.InFlight);
        AcquireResult again = await store.TryAcquireAsync(Ask(id, nonce));
        again.Should().Be(AcquireResult.Acquired(done.Fence, 1));

        proxy.Fault = cut ? Fault.CutReply : Fault.LoseReply;
        await FaultOf(async () => await store.CompleteAsync(id, again.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long), IdempotencyStoreFault.Unavailable);
        proxy.Fault = Fault.None;
        (await store.CompleteAsync(id, again.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long)).Should().BeTrue();
        (await witness.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(1);
    }

    [Fact]
    public async Task A_server_that_rejects_resets_or_is_silent_is_unavailable_and_cancellation_stays_cancellation()
    {
        await using NpgsqlDataSource direct = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        await CreateAsync(direct, options);
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port));
        PostgresIdempotencyStore store = new(source, options);
        await store.PeekAsync(NewId());

        proxy.Fault = Fault.Reset;
        await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Unavailable);
        proxy.Fault = Fault.Reject;
        await FaultOf(async () => await store.PeekAsync(NewId()), IdempotencyStoreFault.Unavailable);
        proxy.Fault = Fault.None;
        await store.PeekAsync(NewId());
        proxy.Fault = Fault.BlackHole;
        using CancellationTokenSource cancellation = new();
        Task<AcquireResult> silent = store.TryAcquireAsync(Ask(NewId()), cancellation.Token).AsTask();
        await proxy.Struck;
        await cancellation.CancelAsync();
        await FluentActions.Awaiting(() => silent.WaitAsync(TimeSpan.FromSeconds(10))).Should().ThrowAsync<OperationCanceledException>("the wait ends although the server is as silent as before");
        proxy.Fault = Fault.None;
        (await store.TryAcquireAsync(Ask(NewId()))).Status.Should().Be(AcquireStatus.Acquired);
    }

    [Fact]
    public async Task Every_operation_is_one_round_trip_and_only_a_takeover_two()
    {
        await using NpgsqlDataSource direct = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        PostgresIdempotencyStore witness = await CreateAsync(direct, options);
        await using FaultProxy proxy = new(server.Port);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionStringAt(proxy.Port) + ";Maximum Pool Size=1");
        PostgresIdempotencyStore store = new(source, options);
        IdempotencyId id = NewId(), other = NewId(), taken = NewId(), lapsed = NewId();
        await store.PeekAsync(id);
        await witness.TryAcquireAsync(Ask(taken));

        long fence = 0;
        await Once(async () => fence = (await store.TryAcquireAsync(Ask(id))).Fence);
        await Once(async () => (await store.TryAcquireAsync(Ask(taken))).Status.Should().Be(AcquireStatus.InFlight));
        await Once(async () => (await store.RenewAsync(id, fence, Long)).Should().BeTrue());
        await Once(async () => (await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, new byte[100], Long)).Should().BeTrue());
        await Once(async () => (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.Completed));
        await Once(async () => (await store.TryAcquireAsync(Ask(id) with { Fingerprint = Fingerprint.Of("other"u8) })).Status.Should().Be(AcquireStatus.Mismatch));
        await Once(async () => await store.PeekAsync(id));
        fence = (await store.TryAcquireAsync(Ask(other))).Fence;
        await Once(async () => (await store.ReleaseAsync(other, fence)).Should().BeTrue());
        await Once(async () => (await store.TryAcquireAsync(Ask(other))).Status.Should().Be(AcquireStatus.Acquired), trips: 2);
        await witness.TryAcquireAsync(Ask(lapsed, lease: TimeSpan.FromMicroseconds(1)));
        await Once(async () => (await store.TryAcquireAsync(Ask(lapsed))).TookOver.Should().BeTrue(), trips: 2);
        await Once(async () => await store.PurgeAsync(10));

        async Task Once(Func<Task> ask, int trips = 1)
        {
            int before = proxy.Requests;
            await ask();
            (proxy.Requests - before).Should().Be(trips);
        }
    }

    [Fact]
    public async Task Those_who_purge_at_once_share_the_work()
    {
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyOptions options = NewTable();
        PostgresIdempotencyStore store = await CreateAsync(source, options);
        await server.ExecuteAsync($"""
            INSERT INTO {options.Table} SELECT sha256(i::text::bytea), 3, 1, 1, NULL, sha256(''), NULL, now() - interval '1 minute', now() FROM generate_series(1, 5000) AS i
            """);
        AcquireResult live = await store.TryAcquireAsync(Ask(NewId()));
        (await store.PurgeAsync(1500)).Should().Be(1500);
        int[] removed = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => await store.PurgeAsync(int.MaxValue))));
        (removed.Sum() + await store.PurgeAsync(int.MaxValue)).Should().Be(3500);
        (await server.AskAsync($"SELECT fence FROM {options.Table}")).Should().Be(live.Fence);
    }

    [Fact]
    public async Task What_was_acknowledged_survives_the_death_of_the_server()
    {
        PostgresServer mortal = new(durable: true);
        try
        {
            await mortal.InitializeAsync();
            await using NpgsqlDataSource source = mortal.Connect();
            PostgresIdempotencyStore store = await CreateAsync(source);
            Dictionary<IdempotencyId, int> acknowledged = [];
            for (int i = 0; i < 50; i++)
            {
                IdempotencyId id = NewId();
                long fence = (await store.TryAcquireAsync(Ask(id))).Fence;
                if (await store.CompleteAsync(id, fence, IdempotencyCompletion.Completed, BitConverter.GetBytes(i), Long)) acknowledged[id] = i;
            }

            IdempotencyId begun = NewId();
            AcquireResult claim = await store.TryAcquireAsync(Ask(begun));
            mortal.KillHard();
            await FaultOf(async () => await store.TryAcquireAsync(Ask(NewId())), IdempotencyStoreFault.Unavailable);
            await mortal.StartAgainAsync();

            acknowledged.Should().HaveCount(50);
            foreach ((IdempotencyId id, int i) in acknowledged)
                (await store.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(BitConverter.GetBytes(i));
            (await store.TryAcquireAsync(Ask(begun))).Fence.Should().Be(claim.Fence, "who held it holds it still");
            (await store.CompleteAsync(begun, claim.Fence, IdempotencyCompletion.Completed, default, Long)).Should().BeTrue();
        }
        finally
        {
            await mortal.DisposeAsync();
        }
    }

    [Theory]
    [InlineData("57P01", IdempotencyStoreFault.Unavailable)]
    [InlineData("57P03", IdempotencyStoreFault.Unavailable)]
    [InlineData("57014", IdempotencyStoreFault.Unavailable)]
    [InlineData("40001", IdempotencyStoreFault.Unavailable)]
    [InlineData("40P01", IdempotencyStoreFault.Unavailable)]
    [InlineData("55P03", IdempotencyStoreFault.Unavailable)]
    [InlineData("08006", IdempotencyStoreFault.Unavailable)]
    [InlineData("53300", IdempotencyStoreFault.Unavailable)]
    [InlineData("25006", IdempotencyStoreFault.Unavailable)]
    [InlineData("XX000", IdempotencyStoreFault.Unavailable)]
    [InlineData("", IdempotencyStoreFault.Unavailable)]
    [InlineData("53100", IdempotencyStoreFault.Full)]
    [InlineData("54000", IdempotencyStoreFault.Full)]
    [InlineData("42P01", IdempotencyStoreFault.Misconfigured)]
    [InlineData("42703", IdempotencyStoreFault.Misconfigured)]
    [InlineData("42501", IdempotencyStoreFault.Misconfigured)]
    [InlineData("3D000", IdempotencyStoreFault.Misconfigured)]
    [InlineData("3F000", IdempotencyStoreFault.Misconfigured)]
    [InlineData("28P01", IdempotencyStoreFault.Misconfigured)]
    [InlineData("23514", IdempotencyStoreFault.Misconfigured)]
    [InlineData("XX001", IdempotencyStoreFault.Corrupt)]
    [InlineData("22003", IdempotencyStoreFault.Corrupt)]
    public void Errors_mean_what_they_mean(string state, IdempotencyStoreFault fault) =>
        PostgresErrors.Translate(new PostgresException("m", "ERROR", "ERROR", state), "t", default)!.Fault.Should().Be(fault);

    [Fact]
    public void Other_errors_are_told_apart_from_cancellation_and_mistakes()
    {
        PostgresErrors.Translate(new NpgsqlException("m"), "t", default)!.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
        PostgresErrors.Translate(new OperationCanceledException(), "t", default)!.Fault.Should().Be(IdempotencyStoreFault.Unavailable);
        PostgresErrors.Translate(new OperationCanceledException(), "t", new CancellationToken(canceled: true)).Should().BeNull();
        PostgresErrors.Translate(new ArgumentException("m"), "t", default).Should().BeNull();
    }
}
