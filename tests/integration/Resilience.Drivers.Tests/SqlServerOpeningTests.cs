using System.Net;
using System.Net.Sockets;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Resilience.EntityFrameworkCore;

namespace Resilience.DriverTests;

/// <summary>While a connection is opened nothing is executed: a failure then is repeated also where the call must not be made twice.</summary>
public sealed class SqlServerOpeningTests : IDisposable
{
    private readonly TdsServer _server = new();
    private readonly List<AttemptResult> _seen = [];

    public void Dispose() => _server.Dispose();

    private ResiliencePipeline Pipeline() => new ResiliencePipelineBuilder().Classify(static rules => rules.SqlServer()).AddRetry(o =>
    {
        (o.MaxRetries, o.BaseDelay, o.RetryAfter) = (2, TimeSpan.Zero, static _ => TimeSpan.Zero);
        o.ShouldRetry = attempt =>
        {
            _seen.Add(attempt);
            return true;
        };
    }).Build();

    [Theory]
    [InlineData("4060", 3)]
    [InlineData("40613", 3)]
    [InlineData("64", 3)] // while a statement runs it would leave open whether that was carried out
    [InlineData("-2", 3)]
    [InlineData("10928", 3)]
    [InlineData("18456", 1)] // the login is wrong
    public async Task A_connection_that_cannot_be_opened_is_tried_again_as_one_of_which_nothing_was_done(string number, int logins)
    {
        await using SqlConnection connection = new(_server.ConnectionString($"error-{number}"));
        SqlException failed = await Assert.ThrowsAsync<SqlException>(() => connection.OpenAsync(Pipeline()).AsTask());
        failed.Number.ToString(System.Globalization.CultureInfo.InvariantCulture).Should().Be(number);
        _server.Logins.Should().Be(logins);
        _seen.Count.Should().Be(logins == 1 ? 0 : 2);
        _seen.All(a => a.NotApplied && a.MayRepeat).Should().BeTrue();
    }

    /// <summary>A server that takes connections and says nothing: the client's own timeout, which it also says of statements.</summary>
    [Fact]
    public async Task A_server_that_is_silent_while_a_connection_is_opened_is_tried_again()
    {
        using TcpListener silent = new(IPAddress.Loopback, 0);
        silent.Start();
        int port = ((IPEndPoint)silent.LocalEndpoint).Port;
        await using SqlConnection connection = new(
            $"Server=tcp:127.0.0.1,{port};User Id=sa;Password=x;Encrypt=Optional;Pooling=false;ConnectRetryCount=0;Connect Timeout=1");
        SqlException failed = await Assert.ThrowsAsync<SqlException>(() => connection.OpenAsync(Pipeline()).AsTask());
        failed.Number.Should().Be(-2);
        _seen.Should().HaveCount(2).And.OnlyContain(a => a.NotApplied);
        SqlServerErrors.Find(-2, isOpening: true).Repeat.Should().Be(Repeatability.Always);
    }

    /// <summary>The strategy of EF Core sees that nothing was sent, whatever the operation would have written.</summary>
    [Fact]
    public async Task A_context_repeats_a_write_whose_connection_could_not_be_opened_and_not_one_whose_answer_is_lost()
    {
        (await WriteAsync("error-64")).Should().Match<Exception>(e => !e.Data.Contains(DatabaseResilience.OutcomeKey));
        _server.Logins.Should().Be(3);
        int before = _server.Logins;
        Exception lost = await WriteAsync("shop");
        lost.Data[DatabaseResilience.OutcomeKey].Should().Be(DatabaseResilience.UnknownOutcome, "{0}", lost);
        (_server.Logins - before, _server.Statements).Should().Be((1, 1));

        async Task<Exception> WriteAsync(string database)
        {
            DatabaseResilience resilience = new("shop", static b => b.AddRetry(static o => (o.MaxRetries, o.BaseDelay) = (2, TimeSpan.Zero)).Classify(
                static r => r.SqlServer()));
            await using DbContext context = new(new DbContextOptionsBuilder().UseSqlServer(_server.ConnectionString(database)).UseResilience(
                resilience).Options);
            return (await Record.ExceptionAsync(
                () => context.Database.CreateExecutionStrategy().ExecuteAsync(() => context.Database.ExecuteSqlRawAsync("DROP 1 1"))))!;
        }
    }
}
