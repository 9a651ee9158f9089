using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Resilience.DriverTests;

/// <summary>The rows of SQLite: provoked in files where that can be done, and all of them by the driver's own exception.</summary>
public sealed class SqliteTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("resilience-sqlite").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static OutcomeClassifier Rules(OutcomeClassifier rules) => rules.Sqlite();

    private string File(string name) => Path.Combine(_folder, name);

    private SqliteConnection Open(string name, string settings = "")
    {
        SqliteConnection connection = new($"Data Source={File(name)};Pooling=False;Default Timeout=0;{settings}");
        connection.Open();
        return connection;
    }

    private static void Do(SqliteConnection connection, string sql, SqliteTransaction? within = null)
    {
        using SqliteCommand command = connection.CreateCommand();
        (command.CommandText, command.Transaction, command.CommandTimeout) = (sql, within, 1);
        command.ExecuteNonQuery();
    }

    [Fact]
    public async Task Each_code_of_the_table_is_repeated_and_counted_as_its_row_says()
    {
        List<string> wrong = [];
        foreach (TransportRow row in SqliteErrors.All)
        {
            int code = int.Parse(row.Code, CultureInfo.InvariantCulture);
            Driven driven = await Driven.By(Rules, _ => throw new SqliteException("x", code & 0xFF, code));
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
        }

        wrong.Should().BeEmpty();
    }

    /// <summary>What a file does, and the extended code that it is.</summary>
    public static TheoryData<string, int> Faults => new()
    {
        { "busy", 5 }, { "locked", 6 }, { "locked in the cache", 262 }, { "snapshot", 517 }, { "unique", 2067 }, { "primary key", 1555 }, { "foreign key", 787 },
        { "not null", 1299 }, { "check", 275 }, { "syntax", 1 }, { "type", 20 }, { "no folder", 14 }, { "not a database", 26 }, { "full", 13 }, { "corrupt", 11 },
        { "read only", 8 }, { "too big", 18 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_fault_that_a_file_really_has_is_judged_by_its_code(string fault, int code)
    {
        Driven driven = await Driven.By(Rules, token =>
        {
            Provoke(fault);
            return Task.CompletedTask;
        });
        SqliteException said = driven.Outcome.Exception.Should().BeOfType<SqliteException>().Subject;
        new[] { said.SqliteExtendedErrorCode, said.SqliteErrorCode }.Should().Contain(code, "{0}", said.Message);
        driven.DifferenceTo(SqliteErrors.Find(code)!).Should().BeNull();
    }

    private void Provoke(string fault)
    {
        string name = $"{fault.Replace(' ', '-')}-{Guid.NewGuid():N}.db";
        if (fault == "no folder") Open("no/such/folder/x.db").Dispose();
        if (fault == "not a database") System.IO.File.WriteAllText(File(name), new string('x', 4096));
        string shared = fault == "locked in the cache" ? "Cache=Shared" : "";
        using SqliteConnection one = Open(name, shared);
        Do(one, "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE NOT NULL, p INTEGER REFERENCES t(id), CHECK(id < 100)); "
            + "INSERT INTO t VALUES(1, 'a', NULL), (2, 'b', NULL)");
        switch (fault)
        {
            case "busy":
                using (SqliteConnection other = Open(name))
                {
                    using SqliteTransaction holds = other.BeginTransaction(deferred: false);
                    Do(one, "UPDATE t SET u = 'c' WHERE id = 1");
                }

                break;
            case "locked":
                using (SqliteCommand reading = one.CreateCommand())
                {
                    reading.CommandText = "SELECT id FROM t";
                    using SqliteDataReader reader = reading.ExecuteReader();
                    reader.Read();
                    Do(one, "DROP TABLE t");
                }

                break;
            case "locked in the cache":
                using (SqliteConnection other = Open(name, shared))
                {
                    using SqliteTransaction holds = other.BeginTransaction(deferred: false);
                    Do(other, "UPDATE t SET u = 'd' WHERE id = 2", holds);
                    using SqliteCommand reading = one.CreateCommand();
                    reading.CommandText = "SELECT u FROM t";
                    reading.CommandTimeout = 1;
                    using SqliteDataReader reader = reading.ExecuteReader();
                    reader.Read();
                }

                break;
            case "snapshot":
                using (SqliteConnection other = Open(name))
                {
                    using SqliteTransaction old = one.BeginTransaction(deferred: true);
                    Do(one, "SELECT * FROM t", old);
                    using (SqliteCommand reading = one.CreateCommand())
                    {
                        (reading.CommandText, reading.Transaction) = ("SELECT count(*) FROM t", old);
                        reading.ExecuteScalar();
                    }

                    Do(other, "UPDATE t SET u = 'newer' WHERE id = 1");
                    Do(one, "UPDATE t SET u = 'older' WHERE id = 1", old);
                }

                break;
            case "unique": Do(one, "INSERT INTO t VALUES(3, 'a', NULL)"); break;
            case "primary key": Do(one, "INSERT INTO t VALUES(1, 'z', NULL)"); break;
            case "foreign key": Do(one, "INSERT INTO t VALUES(3, 'z', 99)"); break;
            case "not null": Do(one, "INSERT INTO t VALUES(3, NULL, NULL)"); break;
            case "check": Do(one, "INSERT INTO t VALUES(100, 'z', NULL)"); break;
            case "syntax": Do(one, "SELEKT"); break;
            case "type": Do(one, "INSERT INTO t VALUES('no number', 'z', NULL)"); break;
            case "full":
                Do(one, "CREATE TABLE blobs(b); PRAGMA max_page_count=8");
                Do(one, "INSERT INTO blobs VALUES(randomblob(100000))");
                break;
            case "read only": Do(one, "PRAGMA query_only=ON; INSERT INTO t VALUES(3, 'z', NULL)"); break;
            case "too big": Do(one, "SELECT zeroblob(2000000000)"); break;
            case "corrupt":
                Do(one, "PRAGMA wal_checkpoint(TRUNCATE)");
                one.Close();
                using (FileStream file = System.IO.File.OpenWrite(File(name)))
                {
                    file.Position = 4096; // the first page of the table
                    file.Write(Enumerable.Repeat((byte)0xEE, 4096).ToArray());
                }

                using (SqliteConnection again = Open(name)) Do(again, "INSERT INTO t VALUES(3, 'z', NULL)");
                break;
        }
    }

    [Fact]
    public void Five_duplicates_leave_the_circuit_of_a_healthy_file_closed_and_are_five_statements()
    {
        using SqliteConnection connection = Open("duplicates.db");
        Do(connection, "CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1)");
        CircuitBreaker breaker = new(new() { MinimumCalls = 5, FailureRatio = 0.5 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().Classify(rules => rules.Sqlite()).AddRetry(o => o.BaseDelay = TimeSpan.Zero).AddCircuitBreaker(breaker).Build();
        int statements = 0;
        for (int i = 0; i < 5; i++)
        {
            Outcome<int> outcome = pipeline.TryExecute(_ =>
            {
                statements++;
                Do(connection, "INSERT INTO t VALUES(1)");
                return 0;
            });
            outcome.Verdict.Should().Be(Verdict.Ignored);
        }

        (statements, breaker.State).Should().Be((5, CircuitState.Closed));
    }
}
