using MySqlConnector;
using Resilience.StoreTests.Servers;

namespace Resilience.DriverTests;

/// <summary>The numbers of MySQL, said by a real MariaDB to the real connector and judged by one line.</summary>
public sealed class MariaDbTests(MariaDbServer server) : IClassFixture<MariaDbServer>, IAsyncLifetime
{
    public Task InitializeAsync() => ExecuteAsync("""
        CREATE OR REPLACE TABLE children(id int PRIMARY KEY); DROP TABLE children; CREATE OR REPLACE TABLE items(id int PRIMARY KEY, n bigint NOT NULL) ENGINE=InnoDB;
        INSERT INTO items VALUES (1, 1), (2, 2); CREATE TABLE children(id int PRIMARY KEY, item int, FOREIGN KEY (item) REFERENCES items(id)) ENGINE=InnoDB;
        INSERT INTO children VALUES (1, 1)
        """);

    public Task DisposeAsync() => ExecuteAsync("DROP TABLE IF EXISTS children, items");

    private static OutcomeClassifier Rules(OutcomeClassifier rules) => rules.On<MySqlException>(e => MySqlErrors.Judge(e.Number));

    private async Task<MySqlConnection> OpenAsync(string settings = "")
    {
        MySqlConnection connection = new(server.ConnectionString + settings);
        await connection.OpenAsync();
        return connection;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using MySqlConnection connection = await OpenAsync();
        await ExecuteAsync(connection, sql);
    }

    private static async Task ExecuteAsync(MySqlConnection connection, string sql)
    {
        await using MySqlCommand command = new(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    [Fact]
    public async Task Each_number_of_the_table_that_a_server_says_is_repeated_and_counted_as_its_row_says()
    {
        List<string> wrong = [];
        foreach (TransportRow row in MySqlErrors.All)
        {
            Driven driven = await Driven.By(Rules, _ => ExecuteAsync($"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {row.Code}, MESSAGE_TEXT = 'said by the test'"));
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
            if (driven.Outcome.Exception is not MySqlException said || $"{said.Number}" != row.Code) wrong.Add($"{row.Code}: {driven.Outcome}");
        }

        wrong.Should().BeEmpty();
    }

    public static TheoryData<string, int> Faults => new()
    {
        { "duplicate", 1062 }, { "parent", 1451 }, { "no parent", 1452 }, { "syntax", 1064 }, { "deadlock", 1213 }, { "lock timeout", 1205 }, { "statement timeout", 1969 },
        { "killed statement", 1317 }, { "too many connections of the user", 1226 }, { "no server", 1042 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_fault_that_a_server_really_has_is_judged_by_its_number(string fault, int number)
    {
        Driven driven = await Driven.By(Rules, _ => ProvokeAsync(fault));
        driven.Outcome.Exception.Should().BeOfType<MySqlException>().Which.Number.Should().Be(number, "{0}", driven.Outcome.Exception);
        driven.DifferenceTo(MySqlErrors.Find(number)!).Should().BeNull();
    }

    private Task ProvokeAsync(string fault) => fault switch
    {
        "duplicate" => ExecuteAsync("INSERT INTO items VALUES (1, 1)"),
        "parent" => ExecuteAsync("DELETE FROM items WHERE id = 1"),
        "no parent" => ExecuteAsync("INSERT INTO children VALUES (2, 99)"),
        "syntax" => ExecuteAsync("SELEKT"),
        "deadlock" => DeadlockAsync(),
        "lock timeout" => LockTimeoutAsync(),
        "statement timeout" => ExecuteAsync("SET STATEMENT max_statement_time=0.05 FOR SELECT SLEEP(60) FROM items"),
        "killed statement" => KilledAsync("QUERY"),
        "too many connections of the user" => TooManyConnectionsAsync(),
        "no server" => OpenAtAsync(ServerProcess.FreePort()),
        _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "A fault that is known."),
    };

    /// <summary>The server lets the smaller transaction lose: the one of this call.</summary>
    private async Task DeadlockAsync()
    {
        await using MySqlConnection one = await OpenAsync(), other = await OpenAsync();
        await ExecuteAsync(other, "BEGIN; UPDATE items SET n = n + 1 WHERE id = 2; INSERT INTO items VALUES (10, 1), (11, 1), (12, 1), (13, 1)");
        await ExecuteAsync(one, "BEGIN; SELECT * FROM items WHERE id = 1 FOR UPDATE");
        Task waits = ExecuteAsync(other, "UPDATE items SET n = n + 1 WHERE id = 1");
        try
        {
            await ExecuteAsync(one, "SELECT * FROM items WHERE id = 2 FOR UPDATE");
        }
        finally
        {
            await waits;
            await ExecuteAsync(other, "ROLLBACK");
        }
    }

    private async Task LockTimeoutAsync()
    {
        await using MySqlConnection holds = await OpenAsync(), waits = await OpenAsync();
        await ExecuteAsync(holds, "BEGIN; UPDATE items SET n = n + 1 WHERE id = 1");
        await ExecuteAsync(waits, "SELECT * FROM items WHERE id = 1 FOR UPDATE NOWAIT");
    }

    private async Task KilledAsync(string what)
    {
        await using MySqlConnection holds = await OpenAsync(), victim = await OpenAsync();
        await ExecuteAsync(holds, "BEGIN; UPDATE items SET n = n + 1 WHERE id = 1");
        Task waits = ExecuteAsync(victim, "UPDATE items SET n = n + 2 WHERE id = 1");
        await UntilBusyAsync(victim.ServerThread);
        await ExecuteAsync($"KILL {what} {victim.ServerThread}");
        await waits;
    }

    private async Task UntilBusyAsync(int thread)
    {
        await using MySqlConnection asks = await OpenAsync();
        for (int i = 0; i < 3000; i++)
        {
            await using MySqlCommand ask = new($"SELECT count(*) FROM information_schema.processlist WHERE id = {thread} AND command = 'Query'", asks);
            if (Convert.ToInt32(await ask.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture) > 0) return;
            await Task.Delay(20);
        }

        throw new TimeoutException("The statement did not come to the server.");
    }

    private async Task TooManyConnectionsAsync()
    {
        await ExecuteAsync("CREATE OR REPLACE USER few WITH MAX_USER_CONNECTIONS 1; GRANT ALL ON test.* TO few");
        string few = server.ConnectionString.Replace("User ID=root", "User ID=few", StringComparison.Ordinal);
        await using MySqlConnection one = new(few), other = new(few);
        await one.OpenAsync();
        await other.OpenAsync();
    }

    private async Task OpenAtAsync(int port)
    {
        await using MySqlConnection connection = new(server.ConnectionString.Replace($"Port={server.Port}", $"Port={port}", StringComparison.Ordinal));
        await connection.OpenAsync();
    }

    [Fact]
    public async Task A_connection_that_is_killed_is_a_failure_also_without_a_number()
    {
        Driven driven = await Driven.By(Rules, _ => KilledAsync("CONNECTION"));
        driven.Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 2);
    }

    [Fact]
    public async Task Twenty_five_duplicates_leave_the_circuit_closed_without_any_rule()
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 5, FailureRatio = 0.5 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddCircuitBreaker(breaker).Build();
        await using MySqlConnection connection = await OpenAsync();
        int statements = 0;
        for (int i = 0; i < 25; i++)
        {
            await pipeline.TryExecuteAsync(async _ =>
            {
                statements++;
                await ExecuteAsync(connection, "INSERT INTO items VALUES (1, 1)");
                return 0;
            });
        }

        (statements, breaker.State).Should().Be((25, CircuitState.Closed));
    }
}
