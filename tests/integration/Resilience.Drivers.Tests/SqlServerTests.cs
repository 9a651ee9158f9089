using System.Globalization;
using Microsoft.Data.SqlClient;

namespace Resilience.DriverTests;

/// <summary>The rows of SQL Server, each said by a responder that speaks its protocol, to the real client.</summary>
public sealed class SqlServerTests : IDisposable
{
    private readonly TdsServer _server = new();

    public void Dispose() => _server.Dispose();

    private static OutcomeClassifier Rules(OutcomeClassifier rules) => rules.SqlServer();

    private async Task<Driven> RunAsync(string statement, Func<OutcomeClassifier, OutcomeClassifier>? rules = null, CancellationToken cancellationToken = default)
    {
        await using SqlConnection connection = new(_server.ConnectionString());
        return await Driven.By(
            rules ?? Rules,
            async token =>
            {
                if (connection.State != System.Data.ConnectionState.Open)
                {
                    await connection.CloseAsync();
                    await connection.OpenAsync(token);
                }

                await using SqlCommand command = new(statement, connection) { CommandTimeout = 20 };
                await command.ExecuteNonQueryAsync(token);
            },
            cancellationToken);
    }

    [Fact]
    public async Task Each_number_of_the_table_is_repeated_and_counted_as_its_row_says()
    {
        List<string> wrong = [];
        int before = 0;
        foreach (TransportRow row in SqlServerErrors.All.Where(r => r.When.Length == 0))
        {
            string number = row.Code == "*" ? "50000" : row.Code;
            Driven driven = await RunAsync($"ERROR {number} 16");
            if (driven.DifferenceTo(row) is { } difference) wrong.Add(difference);
            if (driven.Outcome.Exception is not SqlException said || said.Number.ToString(CultureInfo.InvariantCulture) != number) wrong.Add($"{number}: {driven.Outcome}");
            if (_server.Statements - before != driven.Calls) wrong.Add($"{number}: {_server.Statements - before} statements and {driven.Calls} calls");
            before = _server.Statements;
        }

        wrong.Should().BeEmpty();
        before.Should().BeGreaterThan(300);
    }

    [Fact]
    public async Task Without_the_table_a_duplicate_is_a_failure_that_counts() =>
        (await RunAsync("ERROR 2627 14", rules => rules)).Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 2, "SqlClient says of no error what it is");

    [Theory]
    [InlineData("ERROR 50000 20", true)] // no list has it, and the connection is closed
    [InlineData("ERROR 823 24", true)]
    [InlineData("ERROR 50000 16", false)]
    [InlineData("DROP", true)]
    public async Task An_error_that_closes_the_connection_is_a_failure_whatever_its_number(string statement, bool isFailure) =>
        (await RunAsync(statement)).Should().Match<Driven>(d => d.Calls == (isFailure ? 2 : 1) && d.Counted == (isFailure ? 2 : 0));

    [Theory]
    [InlineData("4060")]
    [InlineData("40613")]
    [InlineData("18456")]
    public async Task A_login_that_is_rejected_is_judged_by_its_number(string number)
    {
        Driven driven = await Driven.By(Rules, async token =>
        {
            await using SqlConnection connection = new(_server.ConnectionString("error-" + number));
            await connection.OpenAsync(token);
        });
        driven.DifferenceTo(SqlServerErrors.All.Single(r => r.Code == number)).Should().BeNull();
        _server.Logins.Should().Be(driven.Calls);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_failure()
    {
        string address = _server.ConnectionString().Replace("Connect Timeout=20", "Connect Timeout=1", StringComparison.Ordinal);
        _server.Dispose();
        Driven driven = await Driven.By(Rules, async token =>
        {
            await using SqlConnection connection = new(address);
            await connection.OpenAsync(token);
        });
        driven.Should().Match<Driven>(d => d.Calls == 2 && d.Counted == 2);
        driven.Outcome.Exception.Should().BeOfType<SqlException>().Which.Class.Should().Be(20, "the client has no number for it on every system");
    }

    [Fact]
    public async Task A_command_that_takes_too_long_is_a_failure_and_a_caller_who_leaves_is_not()
    {
        Driven late = await Driven.By(Rules, async token =>
        {
            await using SqlConnection connection = new(_server.ConnectionString());
            await connection.OpenAsync(token);
            await using SqlCommand command = new("HANG", connection) { CommandTimeout = 1 };
            await command.ExecuteNonQueryAsync(token);
        });
        late.DifferenceTo(SqlServerErrors.Find(-2)).Should().BeNull();
        late.Outcome.Exception.Should().BeOfType<SqlException>().Which.Number.Should().Be(-2);

        using CancellationTokenSource leaving = new();
        int before = _server.Statements;
        Task<Driven> left = RunAsync("HANG", cancellationToken: leaving.Token);
        SpinWait.SpinUntil(() => _server.Statements > before, TimeSpan.FromSeconds(60)).Should().BeTrue("the statement reaches the server");
        await leaving.CancelAsync();
        (await left).Should().Match<Driven>(d => d.Calls == 1 && d.Counted == 0 && d.Verdict == Verdict.Ignored);
    }

    [Fact]
    public async Task A_rule_of_the_user_comes_first_wherever_it_is_written() =>
        (await RunAsync("ERROR 8645 17", rules => rules.SqlServer().On<SqlException>(e => e.Number == 8645 ? Classification.Permanent : null)))
            .Should().Match<Driven>(d => d.Calls == 1 && d.Counted == 1);

    [Fact]
    public void The_description_names_the_table() => new ResiliencePipelineBuilder()
        .Classify(rules => rules.On<SqlException>(_ => default(Classification?)).SqlServer().Sqlite()).AddRetry().Build().Describe().ToString()
        .Should().Contain("SQL Server: 1 rule for exceptions and 0 for results, overridden by 1, then SQLite: 1 rule for exceptions and 0 for results, then default");
}
