using Npgsql;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>Behind a pooler that lends connections for a transaction: many clients on three connections of the server.</summary>
[Requires(Tool.PgBouncer)]
public sealed class PgBouncerTests(PostgresServer server) : IClassFixture<PostgresServer>
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    private static AcquireRequest Ask(IdempotencyId id) => new()
    {
        Id = id,
        Nonce = Guid.NewGuid(),
        Lease = Long,
        Retention = Long,
        MaxAttempts = 3,
    };

    [Fact]
    public async Task Behind_a_pooler_in_transaction_mode_one_is_granted_records_go_with_transactions_and_no_lock_stays()
    {
        int port = ServerProcess.FreePort();
        string folder = Directory.CreateTempSubdirectory("resilience-pgbouncer").FullName;
        string settings = Path.Combine(folder, "pgbouncer.ini");
        await File.WriteAllTextAsync(settings, $"""
            [databases]
            postgres = host=127.0.0.1 port={server.Port} user=postgres
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            auth_type = any
            pool_mode = transaction
            default_pool_size = 3
            unix_socket_dir =
            ignore_startup_parameters = extra_float_digits
            """);
        bool isRoot = Environment.UserName == "root";
        if (isRoot) ServerProcess.Run("chown", "-R", "postgres:postgres", folder);
        string program = ServerProcess.Find("pgbouncer", "pgbouncer", ["/usr/sbin"]);
        using ServerProcess pooler = isRoot
            ? new("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", program, settings)
            : new(program, settings);
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(
            server.ConnectionStringAt(port).Replace("Database=postgres", "Database=postgres;No Reset On Close=true;Maximum Pool Size=40", StringComparison.Ordinal));
        await pooler.UntilReadyAsync(async () =>
        {
            try
            {
                await using NpgsqlCommand ping = source.CreateCommand("SELECT 1");
                await ping.ExecuteScalarAsync();
                return true;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        });
        PostgresIdempotencyStore store = new(source, new() { Table = "pooled" });
        await store.EnsureCreatedAsync();
        await store.CheckAsync();

        for (int round = 0; round < 10; round++)
        {
            IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
            AcquireResult[] answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => Task.Run(async () => await store.TryAcquireAsync(Ask(id)))));
            AcquireResult granted = answers.Single(a => a.Status == AcquireStatus.Acquired);
            answers.Count(a => a.Status == AcquireStatus.InFlight).Should().Be(23);
            (await store.RenewAsync(id, granted.Fence, Long)).Should().BeTrue();
            (await store.CompleteAsync(id, granted.Fence, IdempotencyCompletion.Completed, new byte[] { 1 }, Long)).Should().BeTrue();
            (await store.TryAcquireAsync(Ask(id))).Payload.ToArray().Should().Equal(1);
        }

        foreach (bool commits in new[] { true, false })
        {
            IdempotencyId id = IdempotencyKey.Shared(Guid.NewGuid().ToString()).ToId();
            await using (NpgsqlConnection connection = await source.OpenConnectionAsync())
            await using (NpgsqlTransaction transaction = await connection.BeginTransactionAsync())
            {
                AcquireResult claim = await store.TryAcquireAsync(transaction, Ask(id));
                (await store.CompleteAsync(transaction, id, claim.Fence, IdempotencyCompletion.Completed, new byte[] { 2 }, Long)).Should().BeTrue();
                (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight, "the lock of the open transaction tells it");
                if (commits) await transaction.CommitAsync();
                else await transaction.RollbackAsync();
            }

            (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(commits ? AcquireStatus.Completed : AcquireStatus.Acquired);
        }

        (await server.AskAsync("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")).Should().Be(0L);
    }
}
