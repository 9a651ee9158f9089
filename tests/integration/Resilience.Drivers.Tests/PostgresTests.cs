using System.Data;
using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.DriverTests;

/// <summary>SQLSTATEs that a real PostgreSQL says, judged by the defaults: no rule, no package.</summary>
public sealed class PostgresTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private const string Setup = """
        DROP TABLE IF EXISTS items; CREATE TABLE items(id int PRIMARY KEY, n bigint NOT NULL CHECK (n < 1000), parent int REFERENCES items(id));
        INSERT INTO items VALUES (1, 1), (2, 2); DROP SEQUENCE IF EXISTS tries; CREATE SEQUENCE tries
        """;

    private NpgsqlDataSource _source = null!;

    public async Task InitializeAsync()
    {
        _source = server.Connect();
        await ExecuteAsync(Setup, default);
    }

    public async Task DisposeAsync() => await _source.DisposeAsync();

    private static OutcomeClassifier Defaults(OutcomeClassifier rules) => rules;

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using NpgsqlCommand command = _source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using NpgsqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    [Fact]
    public async Task Twenty_five_unique_violations_leave_the_circuit_closed_and_are_twenty_five_statements()
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 5, FailureRatio = 0.5 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddCircuitBreaker(breaker).Build();
        for (int i = 0; i < 25; i++)
        {
            Outcome<int> outcome = await pipeline.TryExecuteAsync(async token =>
            {
                await ExecuteAsync("INSERT INTO items VALUES (1, nextval('tries'))", token);
                return 0;
            });
            outcome.Exception.Should().BeOfType<PostgresException>().Which.SqlState.Should().Be(PostgresErrorCodes.UniqueViolation);
        }

        breaker.State.Should().Be(CircuitState.Closed);
        await using NpgsqlCommand count = _source.CreateCommand("SELECT last_value FROM tries");
        (await count.ExecuteScalarAsync()).Should().Be(25L, "the server has seen each statement once");
    }

    [Fact]
    public async Task Each_sqlstate_of_the_table_that_a_server_says_is_repeated_and_counted_as_its_row_says()
    {
        List<string> wrong = [];
        foreach (TransportRow row in SqlStates.All)
        {
            string state = row.Code == "*" ? "P0009" : row.Code.Replace("*", "9Z9", StringComparison.Ordinal);
            Driven driven = await Driven.By(Defaults, token => ExecuteAsync($"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$", token));
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
            if ((driven.Outcome.Exception as PostgresException)?.SqlState != state) wrong.Add($"{state}: {driven.Outcome}");
        }

        wrong.Should().BeEmpty();
    }

    public static TheoryData<string, string> Faults => new()
    {
        { "serialization failure", "40001" }, { "deadlock", "40P01" }, { "lock not available", "55P03" }, { "statement timeout", "57014" }, { "shut down by an administrator", "57P01" },
        { "too many connections", "53300" }, { "transaction has failed", "25P02" }, { "database does not exist", "3D000" }, { "unique", "23505" }, { "foreign key", "23503" },
        { "not null", "23502" }, { "check", "23514" }, { "syntax", "42601" }, { "no table", "42P01" }, { "not a number", "22P02" }, { "read only", "25006" }, { "raised", "P0001" },
        { "database in use", "55006" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_fault_that_a_server_really_has_is_judged_by_its_sqlstate(string fault, string state)
    {
        Driven driven = await Driven.By(Defaults, _ => ProvokeAsync(fault));
        driven.Outcome.Exception.Should().BeOfType<PostgresException>().Which.SqlState.Should().Be(state);
        driven.DifferenceTo(SqlStates.Find(state)!).Should().BeNull();
    }

    private Task ProvokeAsync(string fault) => fault switch
    {
        "serialization failure" => SerializationFailureAsync(),
        "deadlock" => DeadlockAsync(),
        "lock not available" => WhileLockedAsync("SELECT * FROM items WHERE id = 1 FOR UPDATE NOWAIT"),
        "statement timeout" => ExecuteAsync("SET statement_timeout = 20; SELECT pg_sleep(60)", default),
        "shut down by an administrator" => TerminatedAsync(),
        "too many connections" => TooManyConnectionsAsync(),
        "transaction has failed" => FailedTransactionAsync(),
        "database does not exist" => OpenAsync("nowhere"),
        "unique" => ExecuteAsync("INSERT INTO items VALUES (1, 1)", default),
        "foreign key" => ExecuteAsync("INSERT INTO items VALUES (3, 1, 99)", default),
        "not null" => ExecuteAsync("INSERT INTO items VALUES (3, NULL)", default),
        "check" => ExecuteAsync("INSERT INTO items VALUES (3, 1000)", default),
        "syntax" => ExecuteAsync("SELEKT", default),
        "no table" => ExecuteAsync("SELECT * FROM nothing", default),
        "not a number" => ExecuteAsync("SELECT 'x'::int", default),
        "read only" => ExecuteAsync("BEGIN READ ONLY; INSERT INTO items VALUES (3, 1); COMMIT", default),
        "raised" => ExecuteAsync("DO $$ BEGIN RAISE EXCEPTION 'no'; END $$", default),
        "database in use" => InUseAsync(),
        _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "A fault that is known."),
    };

    private async Task OpenAsync(string database)
    {
        await using NpgsqlConnection connection = new(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = database, Pooling = false }.ConnectionString);
        await connection.OpenAsync();
    }

    private async Task SerializationFailureAsync()
    {
        await using NpgsqlConnection one = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction old = await one.BeginTransactionAsync(IsolationLevel.RepeatableRead);
        await ExecuteAsync(one, "SELECT * FROM items");
        await ExecuteAsync("UPDATE items SET n = n + 1 WHERE id = 1", default);
        await ExecuteAsync(one, "UPDATE items SET n = n + 1 WHERE id = 1");
    }

    /// <summary>Two that wait for each other: the one that looks for deadlocks first is the one that loses.</summary>
    private async Task DeadlockAsync()
    {
        await using NpgsqlConnection one = await _source.OpenConnectionAsync(), other = await _source.OpenConnectionAsync();
        await ExecuteAsync(one, "SET deadlock_timeout = 10; BEGIN; UPDATE items SET n = n WHERE id = 1");
        await ExecuteAsync(other, "SET deadlock_timeout = 600000; BEGIN; UPDATE items SET n = n WHERE id = 2");
        Task waits = ExecuteAsync(other, "UPDATE items SET n = n WHERE id = 1");
        try
        {
            await ExecuteAsync(one, "UPDATE items SET n = n WHERE id = 2");
        }
        finally
        {
            await waits;
            await ExecuteAsync(other, "ROLLBACK; RESET deadlock_timeout");
            await ExecuteAsync(one, "ROLLBACK; RESET deadlock_timeout");
        }
    }

    private async Task WhileLockedAsync(string sql)
    {
        await using NpgsqlConnection holds = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await holds.BeginTransactionAsync();
        await ExecuteAsync(holds, "SELECT * FROM items WHERE id = 1 FOR UPDATE");
        await ExecuteAsync(sql, default);
    }

    private async Task TerminatedAsync()
    {
        await using NpgsqlConnection victim = await _source.OpenConnectionAsync();
        Task sleeps = ExecuteAsync(victim, "SELECT pg_sleep(60)");
        await ExecuteAsync($"SELECT pg_terminate_backend({victim.ProcessID})", default);
        await sleeps;
    }

    private async Task TooManyConnectionsAsync()
    {
        await ExecuteAsync("DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'few') THEN CREATE ROLE few LOGIN CONNECTION LIMIT 0; END IF; END $$", default);
        await using NpgsqlConnection connection = new(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Username = "few", Pooling = false }.ConnectionString);
        await connection.OpenAsync();
    }

    private async Task FailedTransactionAsync()
    {
        await using NpgsqlConnection connection = await _source.OpenConnectionAsync();
        await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync();
        await FluentActions.Awaiting(() => ExecuteAsync(connection, "SELECT 1/0")).Should().ThrowAsync<PostgresException>();
        await ExecuteAsync(connection, "SELECT 1");
    }

    private async Task InUseAsync()
    {
        await ExecuteAsync("CREATE DATABASE used", default);
        await using NpgsqlConnection holds = new(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = "used", Pooling = false }.ConnectionString);
        await holds.OpenAsync();
        try
        {
            await ExecuteAsync("DROP DATABASE used", default);
        }
        finally
        {
            await holds.CloseAsync();
            await ExecuteAsync("DROP DATABASE used WITH (FORCE)", default);
        }
    }

    [Fact]
    public async Task A_pair_that_deadlocks_commits_both_and_no_circuit_counts_it()
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddCircuitBreaker(breaker).Build();
        using CountdownEvent hold = new(2);
        int attempts = 0;
        await Task.WhenAll(TransferAsync(1, 2), TransferAsync(2, 1)).WaitAsync(TimeSpan.FromMinutes(1));
        attempts.Should().Be(3);
        breaker.TakeSnapshot().Failures.Should().Be(0);
        await using NpgsqlCommand sum = _source.CreateCommand("SELECT sum(n) FROM items WHERE id < 3");
        (await sum.ExecuteScalarAsync()).Should().Be(1m + 2m + 4m, "both have added one to both rows");

        Task TransferAsync(int first, int second) => Task.Run(async () => await pipeline.ExecuteAsync(async token =>
        {
            bool isFirstTry = Interlocked.Increment(ref attempts) <= 2;
            await using NpgsqlConnection connection = await _source.OpenConnectionAsync(token);
            await using NpgsqlTransaction transaction = await connection.BeginTransactionAsync(token);
            await ExecuteAsync(connection, $"SET LOCAL deadlock_timeout = 20; UPDATE items SET n = n + 1 WHERE id = {first}");
            if (isFirstTry)
            {
                hold.Signal();
                hold.Wait(TimeSpan.FromSeconds(60), token).Should().BeTrue("both hold a row");
            }

            await ExecuteAsync(connection, $"UPDATE items SET n = n + 1 WHERE id = {second}");
            await transaction.CommitAsync(token);
        }));
    }

    [Fact]
    public async Task A_caller_who_leaves_is_ignored_and_a_limit_of_ours_is_a_failure()
    {
        using CancellationTokenSource leaving = new();
        Task<Driven> left = Driven.By(Defaults, token => ExecuteAsync("SELECT pg_sleep(60)", token), leaving.Token);
        await UntilSomeoneSleepsAsync();
        await leaving.CancelAsync();
        (await left).Should().Match<Driven>(d => d.Calls == 1 && d.Counted == 0 && d.Verdict == Verdict.Ignored);

        CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
        ResiliencePipeline limited = new ResiliencePipelineBuilder().AddCircuitBreaker(breaker).AddTimeout(TimeSpan.FromMilliseconds(100)).Build();
        Outcome<int> late = await limited.TryExecuteAsync(async token =>
        {
            await ExecuteAsync("SELECT pg_sleep(60)", token);
            return 0;
        });
        (late.Exception, breaker.TakeSnapshot().Failures).Should().Match<(Exception? Thrown, int Failures)>(e => e.Thrown is TimedOutException && e.Failures == 1);
    }

    private async Task UntilSomeoneSleepsAsync()
    {
        for (int i = 0; i < 3000; i++)
        {
            await using NpgsqlCommand ask = _source.CreateCommand("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'");
            if ((long)(await ask.ExecuteScalarAsync())! > 0) return;
            await Task.Delay(20);
        }

        throw new TimeoutException("No statement came to the server.");
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_failure()
    {
        int port = ServerProcess.FreePort();
        Driven driven = await Driven.By(Defaults, async token =>
        {
            await using NpgsqlConnection connection = new(server.ConnectionStringAt(port) + ";Pooling=false");
            await connection.OpenAsync(token);
        });
        driven.Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 2);
    }
}
