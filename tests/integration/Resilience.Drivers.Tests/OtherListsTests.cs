using System.Globalization;
using System.Reflection;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore.SqlServer.Storage.Internal;
using MySqlConnector;
using Npgsql;

namespace Resilience.DriverTests;

/// <summary>Our tables beside the lists of others, code by code: each difference has its reason, and one that is new, or gone, fails.</summary>
public sealed class OtherListsTests
{
    private const string OfTheirTimeout = "EF Core leaves it out, because the operation may have been completed. So do we where a call must not be made twice; others are repeated";
    private const string OfTheNetwork = "a number of the operating system for a server that is not reached, which EF Core does not have";
    private const string OfTheSession = "the session was killed, and with it the connection";

    /// <summary>What we repeat and EF Core does not. There is nothing that EF Core repeats and we do not.</summary>
    private static readonly Dictionary<int, string> BesideEntityFramework = new()
    {
        [-2] = OfTheirTimeout,
        [-1] = OfTheNetwork,
        [2] = OfTheNetwork,
        [53] = OfTheNetwork,
        [258] = OfTheNetwork,
        [10061] = OfTheNetwork,
        [203] = "EF Core repeats it where the system's error is inside; the table cannot see that",
        [596] = OfTheSession,
    };

    /// <summary>What Npgsql does not call transient and we repeat.</summary>
    private static readonly Dictionary<string, string> BesideNpgsql = new()
    {
        ["40000"] = "the class of those that it calls transient: rolled back",
        ["40003"] = "the outcome is unknown: repeated where a call may be made twice",
        ["08S01"] = "a SQLSTATE of other databases",
        ["08P01"] = "PgBouncer says so when it has no server",
        ["58P01"] = "the class of system errors",
        ["58P02"] = "the class of system errors",
        ["HYT00"] = "a SQLSTATE of other databases",
        ["HYT01"] = "a SQLSTATE of other databases",
    };

    private static bool IsRepeated(Classification? classification) => classification is { Verdict: Verdict.Failure, MayRepeat: true };

    /// <summary>An exception as the client makes it of what a server says.</summary>
    private static Func<int, SqlException> MakerOfSqlExceptions()
    {
        const BindingFlags Hidden = BindingFlags.Instance | BindingFlags.Static | BindingFlags.NonPublic;
        ConstructorInfo error = typeof(SqlError).GetConstructors(Hidden).OrderBy(c => c.GetParameters().Length).First();
        ConstructorInfo errors = typeof(SqlErrorCollection).GetConstructors(Hidden).Single(c => c.GetParameters().Length == 0);
        MethodInfo add = typeof(SqlErrorCollection).GetMethod("Add", Hidden)!;
        MethodInfo create = typeof(SqlException).GetMethods(Hidden).Where(m => m.Name == "CreateException").OrderBy(m => m.GetParameters().Length).First();
        return number =>
        {
            object all = errors.Invoke([]);
            add.Invoke(all, [error.Invoke(ArgumentsOf(error, number))]);
            object?[] arguments = [.. create.GetParameters().Select(p => p.ParameterType == typeof(SqlErrorCollection) ? all : p.ParameterType == typeof(string) ? "16.0" : null)];
            return (SqlException)create.Invoke(null, arguments)!;
        };

        static object?[] ArgumentsOf(ConstructorInfo constructor, int number) =>
        [
            .. constructor.GetParameters().Select(p => p.Name is "infoNumber" or "number" ? number
                : p.ParameterType == typeof(string) ? "x" : p.ParameterType.IsValueType ? Activator.CreateInstance(p.ParameterType) : null),
        ];
    }

    [Fact]
    public void Our_numbers_of_sql_server_differ_from_entity_framework_core_where_there_is_a_reason()
    {
        Func<int, SqlException> make = MakerOfSqlExceptions();
        int theirs = 0;
        List<int> onlyTheirs = [], onlyOurs = [];
        foreach (int number in Enumerable.Range(-10, 60_010))
        {
            SqlException exception = make(number);
            exception.Number.Should().Be(number);
            bool isTheirs = SqlServerTransientExceptionDetector.ShouldRetryOn(exception), isOurs = IsRepeated(SqlServerErrors.Judge(number));
            theirs += isTheirs ? 1 : 0;
            if (isTheirs && !isOurs) onlyTheirs.Add(number);
            if (isOurs && !isTheirs) onlyOurs.Add(number);
        }

        theirs.Should().BeGreaterThan(150, "EF Core's list is read");
        onlyTheirs.Should().BeEmpty("EF Core has numbers that we do not have: add each to SqlServerErrors");
        onlyOurs.Should().BeEquivalentTo(BesideEntityFramework.Keys, "each difference has its reason here");
    }

    [Fact]
    public void Our_sqlstates_differ_from_npgsql_where_there_is_a_reason()
    {
        string[] known =
        [
            .. typeof(PostgresErrorCodes).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f => (string)f.GetValue(null)!),
            .. SqlStates.All.Select(r => r.Code).Where(c => !c.Contains('*', StringComparison.Ordinal)),
        ];
        List<string> onlyTheirs = [], onlyOurs = [];
        foreach (string state in known.Distinct())
        {
            bool isTheirs = new PostgresException("x", "ERROR", "ERROR", state).IsTransient, isOurs = IsRepeated(SqlStates.Judge(state));
            if (isTheirs && !isOurs) onlyTheirs.Add(state);
            if (isOurs && !isTheirs) onlyOurs.Add(state);
        }

        known.Should().HaveCountGreaterThan(200);
        onlyTheirs.Should().BeEmpty("Npgsql calls transient what we do not repeat");
        onlyOurs.Should().BeEquivalentTo(BesideNpgsql.Keys, "each difference has its reason here");
    }

    [Fact]
    public void What_the_connector_of_mysql_calls_transient_is_a_failure()
    {
        ConstructorInfo make = typeof(MySqlException).GetConstructor(BindingFlags.Instance | BindingFlags.NonPublic, [typeof(MySqlErrorCode), typeof(string)])!;
        int transient = 0;
        foreach (MySqlErrorCode code in Enum.GetValues<MySqlErrorCode>().Distinct())
        {
            MySqlException exception = (MySqlException)make.Invoke([code, "x"]);
            if (!exception.IsTransient) continue;
            transient++;
            IsRepeated(MySqlErrors.Judge(exception.Number)).Should().BeTrue("of {0} {1}", code, ((int)code).ToString(CultureInfo.InvariantCulture));
        }

        transient.Should().BeGreaterThan(3);
    }
}
