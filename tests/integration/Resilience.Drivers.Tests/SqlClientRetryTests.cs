using System.Data.Common;
using Microsoft.Data.SqlClient;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Resilience.EntityFrameworkCore;

namespace Resilience.DriverTests;

/// <summary>Retries of SqlClient's own below the strategy of a context (RES020), with the real client against a responder.</summary>
public sealed class SqlClientRetryTests : IDisposable
{
    private readonly TdsServer _server = new();

    public void Dispose() => _server.Dispose();

    private static SqlRetryLogicBaseProvider Retrying(int tries = 3) => SqlConfigurableRetryFactory.CreateFixedRetryProvider(new()
    {
        NumberOfTries = tries,
        DeltaTime = TimeSpan.FromMilliseconds(1),
        TransientErrors = [1205],
    });

    private static DatabaseResilience Pipelines(bool allows = false, int retries = 2) => new(
        "shop", b => b.AddRetry(o => (o.MaxRetries, o.BaseDelay) = (retries, TimeSpan.Zero)), new() { AllowDriverRetries = allows });

    private static async Task<Exception> RunAsync(SqlConnection connection, DatabaseResilience resilience, params IInterceptor[] interceptors)
    {
        DbContextOptionsBuilder options = new();
        await using DbContext context = new(options.UseSqlServer(connection).UseResilience(resilience).AddInterceptors(interceptors).Options);
        return (await Record.ExceptionAsync(
            () => context.Database.CreateExecutionStrategy().ExecuteAsync(() => context.Database.ExecuteSqlRawAsync("ERROR 1205 13"))))!;
    }

    [Fact]
    public async Task Without_one_the_pipeline_alone_repeats()
    {
        await using SqlConnection connection = new(_server.ConnectionString());
        (await RunAsync(connection, Pipelines())).Should().BeOfType<SqlException>();
        _server.Statements.Should().Be(3);
    }

    [Fact]
    public async Task One_on_the_connection_is_an_error_before_anything_is_sent()
    {
        await using SqlConnection connection = new(_server.ConnectionString()) { RetryLogicProvider = Retrying() };
        Exception found = await RunAsync(connection, Pipelines());
        found.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("RES020").And.Contain("connection").And.Contain("3 attempts");
        _server.Logins.Should().Be(0);
    }

    [Fact]
    public async Task One_that_an_interceptor_gives_to_commands_is_an_error_before_they_are_sent()
    {
        await using SqlConnection connection = new(_server.ConnectionString());
        Exception found = await RunAsync(connection, Pipelines(), new Giving(Retrying()));
        found.Should().BeOfType<InvalidOperationException>().Which.Message.Should().Contain("RES020").And.Contain("command").And.Contain("AllowDriverRetries");
        _server.Statements.Should().Be(0);
    }

    /// <summary>Where it is meant, where it tries once, and where the pipeline does not repeat.</summary>
    [Theory]
    [InlineData(true, 3, 2, 9)]
    [InlineData(false, 1, 2, 3)]
    [InlineData(false, 3, 0, 3)]
    public async Task It_is_no_error_where_it_is_meant_or_multiplies_nothing(bool allows, int tries, int retries, int statements)
    {
        await using SqlConnection connection = new(_server.ConnectionString()) { RetryLogicProvider = Retrying(tries) };
        await RunAsync(connection, Pipelines(allows, retries), new Giving(Retrying(tries)));
        _server.Statements.Should().Be(statements);
    }

    private sealed class Giving(SqlRetryLogicBaseProvider provider) : DbCommandInterceptor
    {
        public override DbCommand CommandCreated(CommandEndEventData eventData, DbCommand result)
        {
            ((SqlCommand)result).RetryLogicProvider = provider;
            return result;
        }
    }
}
