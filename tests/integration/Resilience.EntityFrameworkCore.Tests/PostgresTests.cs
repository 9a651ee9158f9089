using System.Data;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>What a real server answers, and what becomes of it.</summary>
[Collection(PostgresCollection.Name)]
[Requires(Tool.PostgreSql)]
public sealed class PostgresTests(PostgresDatabase database)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Twenty_five_unique_violations_are_twenty_five_statements_and_the_circuit_stays_closed(bool isAsync)
    {
        string code = $"{Guid.NewGuid()}";
        DatabaseResilience resilience = new("shop-db");
        await using (Shop first = database.Open(resilience))
        {
            first.Add(new Order { Code = code });
            await first.SaveChangesAsync();
        }

        StatementCount statements = new();
        for (int i = 0; i < 25; i++)
        {
            await using Shop shop = database.Open(resilience, statements);
            shop.Add(new Order { Code = code });
            Func<Task> act = async () => _ = isAsync ? await shop.SaveChangesAsync() : shop.SaveChanges();
            DbUpdateException error = (await act.Should().ThrowAsync<DbUpdateException>()).Which;
            error.InnerException.Should().BeOfType<PostgresException>().Which.SqlState.Should().Be("23505");
            error.Data.Contains(DatabaseResilience.OutcomeKey).Should().BeFalse("the server has said that nothing was applied");
        }

        statements.Count.Should().Be(25);
        resilience.Pipelines.Single().Find<CircuitBreaker>()!.State.Should().Be(CircuitState.Closed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Of_a_deadlock_both_commit(bool isAsync)
    {
        int one = Random.Shared.Next(1, int.MaxValue / 2), other = one + 1;
        await database.ExecuteAsync($"INSERT INTO accounts (id, balance) VALUES ({one}, 0), ({other}, 0)");
        List<ResilienceEvent> events = [];
        DatabaseResilience resilience = new("shop-db", builder => builder.AddDatabasePolicies().OnEvent(e =>
        {
            lock (events) events.Add(e);
        }));
        using Barrier bothHoldTheirs = new(2);
        await Task.WhenAll(Task.Run(() => AddAsync(one, other)), Task.Run(() => AddAsync(other, one)));
        (await database.AskAsync($"SELECT sum(balance) FROM accounts WHERE id IN ({one}, {other})")).Should().Be(4L);
        events.OfType<RetryScheduled>().Should().NotBeEmpty("the server has ended one of the two").And.OnlyContain(e => e.Reason != "");

        async Task AddAsync(int first, int second)
        {
            await using Shop shop = database.Open(resilience);
            bool isFirstAttempt = true;
            if (isAsync)
            {
                await shop.InTransactionAsync(async (db, token) =>
                {
                    await Of(db, first).ExecuteUpdateAsync(set => set.SetProperty(a => a.Balance, a => a.Balance + 1), token);
                    Meet();
                    await Of(db, second).ExecuteUpdateAsync(set => set.SetProperty(a => a.Balance, a => a.Balance + 1), token);
                });
            }
            else
            {
                shop.InTransaction(db =>
                {
                    Of(db, first).ExecuteUpdate(set => set.SetProperty(a => a.Balance, a => a.Balance + 1));
                    Meet();
                    Of(db, second).ExecuteUpdate(set => set.SetProperty(a => a.Balance, a => a.Balance + 1));
                });
            }

            static IQueryable<Account> Of(Shop db, int id) => db.Accounts.Where(a => a.Id == id);

            void Meet()
            {
                if (isFirstAttempt) bothHoldTheirs.SignalAndWait(TimeSpan.FromMinutes(1)).Should().BeTrue("both hold the row that the other one wants");
                isFirstAttempt = false;
            }
        }
    }

    [Fact]
    public async Task A_conflict_that_is_found_at_COMMIT_is_repeated_because_the_server_said_so()
    {
        int id = Random.Shared.Next(1, int.MaxValue / 2);
        await database.ExecuteAsync($"INSERT INTO accounts (id, balance) VALUES ({id}, 0), ({id + 1}, 0)");
        DatabaseResilience resilience = Pipelines.Retrying();
        await using Shop shop = database.Open(resilience), other = database.Open(resilience);
        int attempts = 0;
        await shop.InTransactionAsync(
            async (db, token) =>
            {
                int seen = (await db.Accounts.SingleAsync(a => a.Id == id, token)).Balance;
                (await db.Accounts.SingleAsync(a => a.Id == id + 1, token)).Balance = seen + 1;
                await db.SaveChangesAsync(token);
                if (++attempts > 1) return;

                // The mirror image, committed first: two snapshots that no order explains.
                OnAnotherFlow(other, () => other.InTransaction(
                    o =>
                    {
                        int sees = o.Accounts.Single(a => a.Id == id + 1).Balance;
                        o.Accounts.Single(a => a.Id == id).Balance = sees + 1;
                        o.SaveChanges();
                    },
                    isolationLevel: IsolationLevel.Serializable));
            },
            isolationLevel: IsolationLevel.Serializable);
        attempts.Should().Be(2);
        (await database.AskAsync($"SELECT balance FROM accounts WHERE id = {id + 1}")).Should().Be(2);
    }

    /// <summary>Another client, of whom the operation here does not know: on a flow of its own.</summary>
    private static void OnAnotherFlow(Shop shop, Action operation)
    {
        Thread other = new(() => operation());
        other.UnsafeStart();
        other.Join(TimeSpan.FromMinutes(1)).Should().BeTrue($"{shop.ContextId} ends");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_backend_that_is_ended_between_the_statements_costs_an_attempt_and_nothing_else(bool isAsync)
    {
        Guid operation = Guid.NewGuid();
        await using Shop shop = database.Open(Pipelines.Retrying());
        int attempts = 0;
        if (isAsync)
        {
            await shop.InTransactionAsync(async (db, token) =>
            {
                db.Add(new Order { Operation = operation });
                await db.SaveChangesAsync(token);
                if (++attempts == 1) await EndAsync(((NpgsqlConnection)db.Database.GetDbConnection()).ProcessID);
                db.Add(new Order { Operation = operation });
                await db.SaveChangesAsync(token);
            });
        }
        else
        {
            shop.InTransaction(db =>
            {
                db.Add(new Order { Operation = operation });
                db.SaveChanges();
                if (++attempts == 1) EndAsync(((NpgsqlConnection)db.Database.GetDbConnection()).ProcessID).GetAwaiter().GetResult();
                db.Add(new Order { Operation = operation });
                db.SaveChanges();
            });
        }

        attempts.Should().Be(2);
        (await database.CountRowsAsync())[operation].Should().Be(2);

        Task EndAsync(int process) => database.ExecuteAsync($"SELECT pg_terminate_backend({process}, 10000)");
    }

    [Fact]
    public async Task A_query_is_repeated_when_its_connection_is_gone()
    {
        DatabaseResilience resilience = Pipelines.Retrying();
        await using Shop shop = database.Open(resilience);
        await shop.Database.OpenConnectionAsync();
        await database.ExecuteAsync($"SELECT pg_terminate_backend({((NpgsqlConnection)shop.Database.GetDbConnection()).ProcessID}, 10000)");
        (await shop.Orders.Where(o => o.Code == "of no order").ToListAsync()).Should().BeEmpty();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_caller_calls_repeatable_is_repeated_although_its_outcome_is_unknown(bool isAsync)
    {
        Guid operation = Guid.NewGuid();
        string sql = $"INSERT INTO orders (operation, code) VALUES ('{operation}', '{operation}') ON CONFLICT DO NOTHING";
        await using Shop shop = database.OpenByProxy(Pipelines.Retrying());
        CuttingProxy.Cut cut = database.Proxy.ArmAnswer("INSERT INTO orders");
        _ = isAsync
            ? await shop.RepeatableAsync((db, token) => db.Database.ExecuteSqlRawAsync(sql, token))
            : shop.Repeatable(db => db.Database.ExecuteSqlRaw(sql));
        cut.IsDone.Should().BeTrue();
        (await database.CountRowsAsync())[operation].Should().Be(1);
    }

    [Fact]
    public async Task Opening_repeats_every_failure_and_gives_a_connection_of_the_driver()
    {
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(database.ConnectionString);
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry().Build();
        await using NpgsqlConnection connection = await source.CreateConnection().OpenAsync(pipeline);
        using NpgsqlConnection synchronous = source.CreateConnection().Open(pipeline);
        (connection.State, synchronous.State).Should().Be((ConnectionState.Open, ConnectionState.Open));
    }

    /// <summary>To the exception a pool without a free connection looks as a read that took too long: that a connection was being opened tells them apart.</summary>
    [Fact]
    public async Task A_pool_without_a_free_connection_is_known_by_the_phase()
    {
        NpgsqlConnectionStringBuilder one = new(database.ConnectionString) { MaxPoolSize = 1, Timeout = 1 };
        await using NpgsqlDataSource source = NpgsqlDataSource.Create(one.ConnectionString);
        await using NpgsqlConnection taken = await source.OpenConnectionAsync();
        List<AttemptResult> seen = [];
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o =>
        {
            (o.MaxRetries, o.BaseDelay) = (1, TimeSpan.Zero);
            o.ShouldRetry = attempt =>
            {
                seen.Add(attempt);
                return true;
            };
        }).Build();
        NpgsqlException failed = await Assert.ThrowsAsync<NpgsqlException>(() => source.OpenAsync(pipeline).AsTask());
        failed.InnerException.Should().BeOfType<TimeoutException>();
        seen.Should().ContainSingle().Which.NotApplied.Should().BeTrue();

        // The same in an operation of a context, which would write: nothing was sent, so it is repeated, and the outcome is not unknown.
        int attempts = 0;
        await using Shop shop = new(new DbContextOptionsBuilder().UseNpgsql(source).UseResilience(Pipelines.Retrying()).Options);
        Exception error = (await Record.ExceptionAsync(() => shop.Database.CreateExecutionStrategy().ExecuteAsync(() =>
        {
            attempts++;
            return shop.Database.ExecuteSqlRawAsync("DELETE FROM orders WHERE id < 0");
        })))!;
        attempts.Should().BeGreaterThan(1);
        error.Data.Contains(DatabaseResilience.OutcomeKey).Should().BeFalse();
    }
}
