using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>The table: its format beside another version, what its setup loses, and what churn does to it.</summary>
public sealed class PostgresSetupTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);
    private static int _tables;

    private static AcquireRequest Ask(IdempotencyId id, TimeSpan? lease = null) => new()
    {
        Id = id,
        Nonce = Guid.NewGuid(),
        Lease = lease ?? Long,
        Retention = lease ?? Long,
        MaxAttempts = 3,
    };

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();

    private static PostgresIdempotencyOptions NewTable() => new() { Table = $"setup_{Interlocked.Increment(ref _tables)}" };

    private static async Task<string> MistakeAsync(Func<Task> check) => (await check.Should().ThrowAsync<IdempotencyStoreException>()
        .Where(e => e.Fault == IdempotencyStoreFault.Misconfigured)).Which.Message;

    [Fact]
    public async Task The_check_finds_what_loses_acknowledged_records()
    {
        PostgresIdempotencyOptions options = NewTable();
        const string Careful = ";Options=-c synchronous_commit=on";
        await using NpgsqlDataSource careful = NpgsqlDataSource.Create(server.ConnectionString + Careful), careless = server.Connect();
        PostgresIdempotencyStore store = new(careful, options);
        (await MistakeAsync(() => store.CheckAsync())).Should().Contain("There is no table");
        await store.EnsureCreatedAsync();

        string[] ofServer = ["fsync is off", "full_page_writes is off"]; // the server of these tests flushes nothing
        await ExpectAsync(store, ofServer);
        await ExpectAsync(new(careless, options), ["synchronous_commit is off", .. ofServer]);
        await server.ExecuteAsync($"ALTER TABLE {options.Table} SET UNLOGGED");
        await ExpectAsync(store, ["is unlogged", .. ofServer]);
        await server.ExecuteAsync($"ALTER TABLE {options.Table} SET LOGGED");
        await ExpectCommitAsync("local", ofServer); // nothing waits for a standby
        await WaitForStandbyAsync("'spare'");
        try
        {
            await ExpectCommitAsync("local", ["synchronous_commit is local", .. ofServer]);
            await ExpectCommitAsync("remote_write", ["synchronous_commit is remote_write", .. ofServer]);
            await ExpectCommitAsync("on", ofServer);
            await ExpectCommitAsync("remote_apply", ofServer);
        }
        finally
        {
            await WaitForStandbyAsync("''");
        }

        await server.ExecuteAsync($"ALTER TABLE {options.Table} SET UNLOGGED");
        using IdempotencyGate gate = new(store);
        (await gate.CheckStoreAsync()).Should().Contain(s => s.Contains("is unlogged", StringComparison.Ordinal));

        async Task WaitForStandbyAsync(string name)
        {
            await server.ExecuteAsync($"ALTER SYSTEM SET synchronous_standby_names = {name}");
            await server.ExecuteAsync("SELECT pg_reload_conf()");
            long start = TimeProvider.System.GetTimestamp();
            while (await server.AskAsync($"SELECT current_setting('synchronous_standby_names') = {name}") is not true)
            {
                TimeProvider.System.GetElapsedTime(start).Should().BeLessThan(TimeSpan.FromSeconds(60), "the server must read its settings");
                await Task.Delay(10);
            }
        }

        async Task ExpectCommitAsync(string commit, string[] expected)
        {
            await using NpgsqlDataSource source = NpgsqlDataSource.Create($"{server.ConnectionString};Options=-c synchronous_commit={commit}");
            await ExpectAsync(new(source, options), expected);
        }

        static async Task ExpectAsync(PostgresIdempotencyStore checkedStore, string[] expected)
        {
            IReadOnlyList<string> said = await checkedStore.CheckAsync();
            said.Should().HaveCount(expected.Length);
            foreach (string one in expected) said.Should().Contain(s => s.Contains(one, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_table_of_a_newer_format_is_rejected_at_the_start_in_one_sentence_and_left_as_it_is()
    {
        PostgresIdempotencyOptions options = NewTable();
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyStore store = new(source, options);
        await store.EnsureCreatedAsync();
        string comment = $"SELECT obj_description('{options.Table}'::regclass, 'pg_class')";
        (await server.AskAsync(comment)).Should().Be("Idempotency records of Resilience, format 2");
        await server.ExecuteAsync($"COMMENT ON TABLE {options.Table} IS 'Idempotency records of Resilience, format 3'");

        const string Rejected = "has format 3, which a newer version of this library made; this one works with format 2.";
        (await MistakeAsync(() => store.CheckAsync())).Should().EndWith(Rejected);
        (await MistakeAsync(() => store.EnsureCreatedAsync())).Should().EndWith(Rejected);
        using IdempotencyGate gate = new(store);
        (await MistakeAsync(() => gate.CheckStoreAsync())).Should().EndWith(Rejected);
        await server.ExecuteAsync(PostgresIdempotencyStore.CreateScript(options)); // an operator runs the older script all the same
        ((string?)await server.AskAsync(comment)).Should().EndWith("format 3");
    }

    /// <summary>Format 1, and the statements of the version that wrote it, beside ours on the table that was brought to format 2.</summary>
    [Fact]
    public async Task A_process_of_the_former_version_and_ours_work_on_one_table_and_never_both_execute()
    {
        PostgresIdempotencyOptions options = NewTable();
        await server.ExecuteAsync($"""
            CREATE TABLE {options.Table} (
                id bytea NOT NULL PRIMARY KEY, state smallint NOT NULL, fence bigint NOT NULL, attempt integer NOT NULL, nonce uuid, fingerprint bytea NOT NULL,
                lease_until timestamptz, expires_at timestamptz NOT NULL, begun_at timestamptz NOT NULL, payload bytea);
            CREATE INDEX {options.Table}_expires_at ON {options.Table} (expires_at)
            """);
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyStore store = new(source, options);
        IdempotencyId before = NewId(), theirs = NewId(), ours = NewId(), lapsed = NewId();
        (await FormerClaimAsync(before, Long)).Should().NotBeNull();
        (await MistakeAsync(() => store.CheckAsync())).Should().Contain("has format 1");
        await store.EnsureCreatedAsync();
        await store.CheckAsync();

        (await store.TryAcquireAsync(Ask(before))).Status.Should().Be(AcquireStatus.InFlight, "it was claimed before the table was changed");
        long fence = (await FormerClaimAsync(theirs, Long))!.Value;
        (await store.TryAcquireAsync(Ask(theirs))).Status.Should().Be(AcquireStatus.InFlight);
        (await FormerCompleteAsync(theirs, fence)).Should().Be(1);
        (await store.TryAcquireAsync(Ask(theirs))).Payload.ToArray().Should().Equal(7);

        AcquireResult claim = await store.TryAcquireAsync(Ask(ours));
        (await FormerClaimAsync(ours, Long)).Should().BeNull("ours holds it");
        (await store.CompleteAsync(ours, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 8 }, Long)).Should().BeTrue();
        (await FormerClaimAsync(ours, Long)).Should().BeNull("ours has done it");

        fence = (await FormerClaimAsync(lapsed, TimeSpan.FromMicroseconds(1)))!.Value;
        AcquireResult takeover = await store.TryAcquireAsync(Ask(lapsed) with { Retention = Long });
        (takeover.Status, takeover.Fence > fence).Should().Be((AcquireStatus.Acquired, true));
        (await FormerCompleteAsync(lapsed, fence)).Should().Be(0, "the former owner was replaced");
        await server.ExecuteAsync($"UPDATE {options.Table} SET expires_at = now() - interval '1 second' WHERE expires_day = 0");
        (await store.PurgeAsync(100)).Should().Be(2, "what the former version wrote is found");

        async Task<long?> FormerClaimAsync(IdempotencyId id, TimeSpan lease)
        {
            await using NpgsqlCommand command = source.CreateCommand($"""
                INSERT INTO {options.Table} AS r (id, state, fence, attempt, nonce, fingerprint, lease_until, expires_at, begun_at)
                SELECT $1, 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 1, $2, $3,
                       clock_timestamp() + $4, clock_timestamp() + interval '10 minutes', clock_timestamp()
                 WHERE NOT EXISTS (SELECT 1 FROM {options.Table} AS s WHERE s.id = $1 AND s.expires_at > clock_timestamp()
                                      AND (s.state IN (2, 4) OR (s.state = 1 AND s.lease_until > clock_timestamp() AND s.nonce <> $2)))
                ON CONFLICT (id) DO UPDATE SET nonce = EXCLUDED.nonce, lease_until = EXCLUDED.lease_until, fence = r.fence + 1
                 WHERE r.state = 3 OR (r.state = 1 AND r.lease_until <= clock_timestamp())
                RETURNING fence
                """);
            command.Parameters.Add(new() { Value = id.ToArray() });
            command.Parameters.Add(new() { Value = Guid.NewGuid() });
            command.Parameters.Add(new() { Value = new byte[32] });
            command.Parameters.Add(new() { Value = lease });
            return (long?)await command.ExecuteScalarAsync();
        }

        async Task<int> FormerCompleteAsync(IdempotencyId id, long late)
        {
            await using NpgsqlCommand command = source.CreateCommand($"""
                UPDATE {options.Table} SET state = 2, payload = '\x07', nonce = NULL, lease_until = NULL, expires_at = clock_timestamp() + interval '10 minutes'
                 WHERE id = $1 AND fence = $2 AND state = 1
                """);
            command.Parameters.Add(new() { Value = id.ToArray() });
            command.Parameters.Add(new() { Value = late });
            return await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Every one of them: the day on which the record expires is the same, and pages have room.</summary>
    [Fact]
    public async Task Completions_that_expire_on_the_day_of_their_claim_touch_no_index()
    {
        const int Keys = 500;
        PostgresIdempotencyOptions options = NewTable();
        TimeSpan untilNoon = DateTime.UtcNow.Date.AddDays(2).AddHours(12) - DateTime.UtcNow; // midnight does not come between claim and completion
        await using (NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionString + ";Maximum Pool Size=1"))
        {
            PostgresIdempotencyStore store = new(source, options);
            await store.EnsureCreatedAsync();
            for (int i = 0; i < Keys; i++)
            {
                IdempotencyId id = NewId();
                AcquireResult claim = await store.TryAcquireAsync(Ask(id) with { Retention = untilNoon });
                (await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[100], untilNoon)).Should().BeTrue();
            }
        }

        // A session reports what it did at its end, which is now.
        (await UpdatesAsync(options, atLeast: Keys)).Should().Be((Keys, Keys));
    }

    /// <summary>The last is planted: a completion that moves the day must enter the indexes anew, and the count above would see it.</summary>
    [Fact]
    public async Task The_count_of_completions_that_touch_no_index_sees_one_that_does()
    {
        PostgresIdempotencyOptions options = NewTable();
        await using (NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionString + ";Maximum Pool Size=1"))
        {
            PostgresIdempotencyStore store = new(source, options);
            await store.EnsureCreatedAsync();
            IdempotencyId id = NewId();
            AcquireResult claim = await store.TryAcquireAsync(Ask(id));
            (await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[100], TimeSpan.FromDays(3))).Should().BeTrue();
        }

        (await UpdatesAsync(options, atLeast: 1)).Should().Be((1, 0));
    }

    private async Task<(long All, long Hot)> UpdatesAsync(PostgresIdempotencyOptions options, long atLeast)
    {
        (long All, long Hot) counted = default;
        for (int look = 0; look < 300 && counted.All < atLeast; look++)
        {
            if (look > 0) await Task.Delay(100); // the server is another process: there is nothing to await
            counted = ((long)(await server.AskAsync($"SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = '{options.Table}'"))!,
                (long)(await server.AskAsync($"SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{options.Table}'"))!);
        }

        return counted;
    }

    /// <summary>What is purged makes room for what comes: after many times its own content the table is as large as before.</summary>
    [Fact]
    public async Task Churn_leaves_the_table_as_large_as_it_was()
    {
        PostgresIdempotencyOptions options = NewTable();
        await using NpgsqlDataSource source = server.Connect();
        PostgresIdempotencyStore store = new(source, options);
        await store.EnsureCreatedAsync();
        List<long> sizes = [];
        for (int round = 0; round < 8; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
            {
                for (int i = 0; i < 60; i++)
                {
                    IdempotencyId id = NewId();
                    AcquireResult claim = await store.TryAcquireAsync(Ask(id));
                    (await store.CompleteAsync(id, claim.Fence, IdempotencyCompletion.Completed, new byte[100], Long)).Should().BeTrue();
                }
            })));
            await server.ExecuteAsync($"UPDATE {options.Table} SET expires_at = now() - interval '1 second'"); // an hour passes
            (await store.PurgeAsync(int.MaxValue)).Should().Be(480);
            await server.ExecuteAsync($"VACUUM {options.Table}"); // what autovacuum does
            sizes.Add((long)(await server.AskAsync($"SELECT pg_total_relation_size('{options.Table}')"))!);
        }

        sizes[^1].Should().BeLessThanOrEqualTo(sizes[1] + (sizes[1] / 10), "sizes were {0}", string.Join(", ", sizes));
    }
}
