using System.Data.Common;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;
using Resilience.Transports;

namespace Resilience.Tests.Verdicts;

/// <summary>Every row of every table, by a pipeline that really retries and counts. The drivers' own exceptions, and the servers, are in the tests of
/// the packages.</summary>
public sealed class TransportTableTests
{
    private sealed class Coded(string code, string when) : Exception($"{code} {when}")
    {
        public string Code => code;

        public int Number => int.Parse(code, CultureInfo.InvariantCulture);

        public string When => when;
    }

    private sealed class Database(string? state, bool isTransient = false, Exception? inner = null) : DbException("x", inner)
    {
        public override string? SqlState => state;

        public override bool IsTransient => isTransient;
    }

    private sealed class Broken : DbException
    {
        public override string? SqlState => throw new InvalidOperationException("no state");

        public override bool IsTransient => throw new InvalidOperationException("no answer");
    }

    private static GrpcOrigin OriginOf(string when) => when switch
    {
        "" => GrpcOrigin.Server,
        "the time of the attempt is over" => GrpcOrigin.AttemptDeadline,
        "the transport broke" => GrpcOrigin.Transport,
        _ => GrpcOrigin.NoConnection,
    };

    /// <summary>How the codes of each table are looked up.</summary>
    private static readonly (TransportTable Table, Func<Coded, TransportRow?> Find)[] Tables =
    [
        (GrpcStatuses.All, e => GrpcStatuses.Find(e.Number, OriginOf(e.When))),
        (SqlStates.All, e => SqlStates.Find(e.Code)),
        (SqlServerErrors.All, e => SqlServerErrors.Find(e.Number, e.When.Length > 0)),
        (MySqlErrors.All, e => MySqlErrors.Find(e.Number)),
        (SqliteErrors.All, e => SqliteErrors.Find(e.Number)),
        (AwsErrors.All, e => char.IsAsciiDigit(e.Code[0]) ? AwsErrors.Find(null, e.Number) : AwsErrors.Find(e.Code, 400)),
        (RedisErrors.All, e => RedisErrors.Find(e.When.Length > 0 ? $"{e.Code} {e.When}" : e.Code)),
    ];

    public static TheoryData<string> Names() => [.. Tables.Select(t => t.Table.Name)];

    /// <summary>Codes that have only the row of the rest, of their class or of all.</summary>
    private static string MemberOf(TransportRow row, string table) => row.Code switch
    {
        "*" => table switch { "SQLSTATE" => "P0001", "Redis" => "MYWORD", "AWS" => "404", _ => "50000" },
        "5*" when table == "AWS" => "507",
        _ => row.Code.Replace("*", "9Z9", StringComparison.Ordinal),
    };

    /// <summary>What a row does that it does not say, by running it.</summary>
    private static async Task<List<string>> Complaints(TransportTable table, Func<Coded, TransportRow?> find)
    {
        List<string> wrong = [];
        foreach (TransportRow row in table)
        {
            string what = $"{table.Name} {row.Code} {row.When}";
            Coded error = new(MemberOf(row, table.Name), row.When);
            if (row.Classification.Verdict == Verdict.Success)
            {
                if (find(error) != row) wrong.Add($"{what}: is not found");
                continue;
            }

            bool isFailure = row.Classification.Verdict == Verdict.Failure;
            (int calls, int counted, Verdict verdict) = await Run(error, e => find(e)?.Classification, isForbidden: false);
            int expected = isFailure && row.Repeat != Repeatability.Never ? 2 : 1;
            if (verdict != row.Classification.Verdict) wrong.Add($"{what}: {verdict}");
            if (calls != expected) wrong.Add($"{what}: {calls} calls");
            if (counted != (row.Counts ? calls : 0)) wrong.Add($"{what}: {counted} counted");

            calls = (await Run(error, e => find(e)?.OfWholeCall, isForbidden: true)).Calls;
            if (calls != (row.Repeat == Repeatability.Always ? 2 : 1)) wrong.Add($"{what}: {calls} calls that must not be made twice");
            calls = (await Run(error, e => find(e)?.Classification, isForbidden: true)).Calls;
            if (calls != (row.Classification.NotApplied ? 2 : 1)) wrong.Add($"{what}: {calls} calls of several statements that must not be made twice");
        }

        return wrong;
    }

    private static async Task<(int Calls, int Counted, Verdict Verdict)> Run<TError>(TError error, Func<TError, Classification?>? rule, bool isForbidden)
        where TError : Exception
    {
        CircuitBreaker breaker = new(new() { MinimumCalls = 1000 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder()
            .Classify(rules => rule is null ? rules : rules.On(rule))
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.RetryAfter) = (1, TimeSpan.Zero, _ => TimeSpan.Zero)).AddCircuitBreaker(breaker).Build();
        int calls = 0;
        Outcome<int> outcome = await pipeline.TryExecuteAsync(
            default,
            ValueTask<int> (context, thrown) =>
            {
                calls++;
                if (isForbidden) context.ForbidRetry("made once", unlessNotApplied: true);
                throw thrown;
            },
            error);
        return (calls, breaker.TakeSnapshot().Failures, outcome.Verdict);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Each_row_of_a_table_is_repeated_and_counted_as_it_says(string name)
    {
        (TransportTable table, Func<Coded, TransportRow?> find) = Tables.Single(t => t.Table.Name == name);
        table.Should().HaveCountGreaterThan(10);
        (await Complaints(table, find)).Should().BeEmpty();
    }

    /// <summary>The check finds what a table and its lookup do not agree about, of each kind.</summary>
    [Theory]
    [InlineData("1205", Verdict.Ignored, false, "1205 : Ignored")]
    [InlineData("2627", Verdict.Failure, false, "2627 : Failure")]
    [InlineData("40501", Verdict.Failure, true, "40501 : 2 counted")]
    [InlineData("-2", Verdict.Ignored, false, "-2 : Ignored")]
    public async Task A_planted_mistake_is_found(string code, Verdict said, bool counts, string found)
    {
        TransportRow planted = SqlServerErrors.All.First(r => r.Code == code && r.When.Length == 0) with { Classification = new(said) { Counts = counts } };
        (await Complaints(SqlServerErrors.All, e => e.Code == code && e.When.Length == 0 ? planted : Tables[2].Find(e)))
            .Should().Contain($"SQL Server {found}");
    }

    /// <summary>What is claimed most, in the words of the design rather than of the tables.</summary>
    [Theory]
    [InlineData("SQLSTATE", "40001 40P01 40000 55P03 55006 55000", "Failure yes no")]
    [InlineData("SQLSTATE", "53000 53100 53200 53300 53400 57P03 58000 58030 08001 08004", "Failure yes yes")]
    [InlineData("SQLSTATE", "08000 08003 08006 08S01 57P01 57P02 57P05 40003 08007", "Failure idem yes")]
    [InlineData("SQLSTATE", "57014 XX000 XX001", "Failure no yes")]
    [InlineData("SQLSTATE", "25P02 22001 22P02 23505 23503 28P01 3D000 42601 42P01 25006 P0001 0A000", "Ignored no no")]
    [InlineData("SQL Server", "1205 3960 3966 41301 41302 41305 41325 41839 1222", "Failure yes no")]
    [InlineData("SQL Server",
        "10928 10929 10930 40501 40642 40648 40675 40890 40903 41823 41840 45156 45157 45161 45182 45319 49918 49919 49920 49977 8645 8651 17889", "Failure yes no")]
    [InlineData("SQL Server", "4060 4221 40613 42108 42109 49802 233 10060 11001", "Failure yes yes")]
    [InlineData("SQL Server", "20 64 121 10053 10054 40143 40197 40540 596 -2 926 40189", "Failure idem yes")]
    [InlineData("SQL Server", "2627 2601 547 515 8152 18456 208 102", "Ignored no no")]
    [InlineData("MySQL", "1213 1614 1205", "Failure yes no")]
    [InlineData("MySQL", "1040 1042 1203 1226", "Failure yes yes")]
    [InlineData("MySQL", "2006 2013", "Failure idem yes")]
    [InlineData("MySQL", "1062 1451 1452 1064", "Ignored no no")]
    [InlineData("SQLite", "5 6 262 517", "Failure yes no")]
    [InlineData("SQLite", "10 14 3338", "Failure idem yes")]
    [InlineData("SQLite", "13 11 26", "Failure no yes")]
    [InlineData("SQLite", "19 2067 1555 787 1 20 25", "Ignored no no")]
    [InlineData("Redis", "LOADING CLUSTERDOWN MASTERDOWN READONLY MISCONF NOREPLICAS BUSY WaitingToBeSent WaitingInBacklog", "Failure yes yes")]
    [InlineData("Redis", "TRYAGAIN MOVED ASK", "Failure yes no")]
    [InlineData("Redis", "OOM", "Failure no yes")]
    [InlineData(
        "Redis", "NOAUTH WRONGPASS NOPERM WRONGTYPE EXECABORT NOSCRIPT ERR AuthenticationFailure RedisCommandException BUSYGROUP CROSSSLOT", "Ignored no no")]
    [InlineData("AWS", "SlowDown ThrottlingException ProvisionedThroughputExceededException TransactionConflictException 429", "Failure idem no")]
    [InlineData("AWS", "RequestTimeout 500 502 503 504 408", "Failure idem yes")]
    [InlineData("AWS", "ConditionalCheckFailedException AccessDenied 400 403 404 501", "Ignored no no")]
    [InlineData("gRPC", "1 2 14", "Failure idem yes")]
    [InlineData("gRPC", "4 13 15", "Failure no yes")]
    [InlineData("gRPC", "8", "Failure no no")]
    [InlineData("gRPC", "3 5 6 7 9 10 11 12 16", "Ignored no no")]
    public void The_tables_say_what_the_design_says(string table, string codes, string says)
    {
        Func<Coded, TransportRow?> find = Tables.Single(t => t.Table.Name == table).Find;
        foreach (string code in codes.Split(' '))
        {
            TransportRow row = find(new(code, "")) ?? throw new InvalidOperationException($"{table} has no row for {code}");
            string repeat = row.Repeat switch { Repeatability.Always => "yes", Repeatability.IfSafe => "idem", _ => "no" };
            $"{row.Classification.Verdict} {repeat} {(row.Counts ? "yes" : "no")}".Should().Be(says, "of {0}", code);
            row.Classification.MayRepeat.Should().Be(row.Classification.Verdict != Verdict.Failure || row.Repeat != Repeatability.Never, "of {0}", code);
        }
    }

    [Fact]
    public void Codes_that_no_table_has_are_left_to_the_next_rule()
    {
        SqlStates.Judge(null).Should().BeNull();
        SqlStates.Judge("HY000").Should().BeNull("it says nothing");
        SqlStates.Judge("400").Should().BeNull("it is no SQLSTATE");
        MySqlErrors.Judge(0).Should().BeNull("the connector has no number for a lost connection");
        SqliteErrors.Judge(99).Should().BeNull();
        RedisErrors.Judge("").Should().BeNull();
        GrpcStatuses.Judge(17).Should().BeNull();
        GrpcStatuses.Judge(-1).Should().BeNull();
    }

    [Theory]
    [InlineData("LOADING Redis is loading the dataset in memory", "LOADING")]
    [InlineData("ERR max number of clients reached", "ERR")]
    [InlineData("ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed", "OOM")]
    [InlineData("ERR Error running script (call to f_1): @user_script:1: user_script:1: attempt to call nil", "ERR")]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:1.", "OOM")]
    [InlineData("BUSYKEY Target key name already exists.", "*")]
    public void A_message_of_redis_is_read_by_the_word_at_its_beginning(string message, string code) => RedisErrors.Find(message)!.Code.Should().Be(code);

    [Fact]
    public void A_service_that_asks_for_ten_seconds_gets_them()
    {
        SteppedTime time = new();
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .Classify(rules => rules.On<Coded>(e => SqlServerErrors.Judge(e.Number))).AddRetry(o => (o.MaxRetries, o.RetryAfterJitter) = (1, 0)).Build();
        time.RunUntil(pipeline.TryExecuteAsync(ValueTask<int> (_) => throw new Coded("40501", "")).AsTask());
        time.NowMs.Should().Be(10_000);
    }

    // By default, without a rule: whatever provider sets a SQLSTATE.

    [Fact]
    public async Task The_defaults_judge_an_error_of_a_database_by_its_sqlstate()
    {
        foreach (TransportRow row in SqlStates.All)
        {
            (int calls, int counted, Verdict verdict) = await Run<Exception>(new Database(MemberOf(row, "SQLSTATE")), null, isForbidden: false);
            (verdict, calls > 1, counted > 0).Should().Be((row.Classification.Verdict, row.Repeat != Repeatability.Never, row.Counts), "of {0}", row.Code);
        }
    }

    [Theory]
    [InlineData("23505", true, true)] // the provider knows better
    [InlineData("23505", false, false)]
    [InlineData("HY000", false, true)]
    [InlineData(null, false, true)] // that it is not set says nothing
    [InlineData(null, true, true)]
    public void Is_transient_means_failure_and_not_set_means_nothing(string? state, bool isTransient, bool isFailure) =>
        OutcomeClassifier.Default.Judge(new Database(state, isTransient), false).Should().Be((Classification)(isFailure ? Verdict.Failure : Verdict.Ignored));

    [Fact]
    public void What_lies_inside_an_error_without_sqlstate_tells_whose_it_is()
    {
        Judge(new Database(null, inner: new IOException("x", new SocketException((int)SocketError.ConnectionReset))))
            .Should().Be((Classification)Verdict.Failure);
        Judge(new Database(null, inner: new SocketException((int)SocketError.TooManyOpenSockets))).Counts.Should().BeFalse("we are ill, not they");
        Judge(new Database(null, inner: new AuthenticationException())).Verdict.Should().Be(Verdict.Ignored, "it is not the server that was asked for");
        Judge(new Broken()).Should().Be((Classification)Verdict.Failure, "a provider that throws when it is asked says nothing");

        static Classification Judge(Exception error) => OutcomeClassifier.Default.Judge(error, false);
    }

    [Fact]
    public void Rules_of_the_user_come_first_and_the_description_counts_them()
    {
        OutcomeClassifier rules = OutcomeClassifier.Default
            .Table("SQLite", t => t.On<Coded>(e => SqliteErrors.Judge(e.Number)))
            .On<Coded>(e => e.Number == 5 ? Classification.Permanent : null)
            .On<Exception>(_ => default(Verdict?))
            .On<TimeoutException>(Verdict.Ignored);
        rules.Judge(new Coded("5", ""), false).MayRepeat.Should().BeFalse();
        rules.Judge(new Coded("6", ""), false).Counts.Should().BeFalse();
        rules.ToString()
            .Should().Be("3 rules for exceptions and 0 for results, then SQLite: 1 rule for exceptions and 0 for results, overridden by 2, then default");
    }

    // What mappers wrap.

    [Fact]
    public void What_entity_framework_wraps_is_judged_by_what_is_inside()
    {
        Database deadlock = new("40001"), duplicate = new("23505");
        Judge(new Microsoft.EntityFrameworkCore.DbUpdateException(deadlock)).Should().Be(SqlStates.Judge("40001"));
        Judge(new Microsoft.EntityFrameworkCore.DbUpdateException(duplicate))!.Value.Verdict.Should().Be(Verdict.Ignored);
        Judge(new Microsoft.EntityFrameworkCore.DbUpdateConcurrencyException(null))!.Value.Verdict.Should().Be(Verdict.Ignored, "read again first");
        Judge(new Microsoft.EntityFrameworkCore.Storage.RetryLimitExceededException(deadlock))
            .Should().Be(SqlStates.Judge("40001")!.Value with { MayRepeat = false });
        Judge(new InvalidOperationException("likely transient", deadlock) { Source = "Microsoft.EntityFrameworkCore.SqlServer" })
            .Should().Be(SqlStates.Judge("40001"));
        Judge(new InvalidOperationException("likely transient", deadlock) { Source = "Npgsql.EntityFrameworkCore.PostgreSQL" })
            .Should().Be(SqlStates.Judge("40001"));
        Judge(new InvalidOperationException("of the program", deadlock) { Source = "Shop" })
            .Should().Be((Classification)Verdict.Failure, "no mapper wrapped it");

        static Classification? Judge(Exception error) => OutcomeClassifier.Default.Judge(error, false);
    }

    // The tables as text.

    [Fact]
    public void A_table_prints_itself_and_codes_that_say_the_same_share_a_line()
    {
        string[] lines = SqlServerErrors.All.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCountLessThan(16).And.Contain(l => l.StartsWith("| 1205 deadlock, 3960 ", StringComparison.Ordinal));
        foreach (TransportRow row in SqlServerErrors.All)
            lines.Count(l => CodesOf(l).Contains(row.Code) && WhenOf(l) == row.When).Should().Be(1, "{0} has one line", row.Code);

        static string[] CodesOf(string line) => [.. line.Split('|')[1].Split(':')[0].Split(',').Select(c => c.Trim().Split(' ')[0])];

        static string WhenOf(string line) => line.Split('|')[1].Split(':').Skip(1).SingleOrDefault("").Trim();
    }

    [Fact]
    public void No_code_has_two_rows_of_one_condition()
    {
        foreach ((TransportTable table, _) in Tables) table.Select(r => (r.Code, r.When)).Should().OnlyHaveUniqueItems(table.Name);
        Tables.Select(t => t.Table.Name).Should().BeEquivalentTo(
            typeof(TransportTable).Assembly.GetExportedTypes().SelectMany(t => t.GetProperties())
                .Where(p => p.PropertyType == typeof(TransportTable)).Select(p => ((TransportTable)p.GetValue(null)!).Name),
            "every table is looked at");
    }
}
