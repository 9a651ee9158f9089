using System.Data.Common;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests.Idempotency;

/// <summary>Endpoints whose rows and response are committed together: the table of what is done when, row by row.</summary>
public abstract class InTransactionTests(string kind, PostgresServer? server) : IAsyncLifetime
{
    private RecordDatabase _database = null!;
    private int _runs;

    private Task<Service> OpenAsync(
        Func<HttpContext, RecordShop, int, Task<IResult>> endpoint,
        Action<EndpointTransactionOptions>? terms = null,
        Action<IdempotencyEndpointOptions>? options = null,
        Action<DbContextOptionsBuilder>? context = null,
        Action<IdempotencyOptions>? gate = null) => Service.OpenAsync(
            _database,
            app => app.MapPost("/orders", async (HttpContext http, RecordShop shop) =>
            {
                int run = Interlocked.Increment(ref _runs);
                shop.Orders.Add(new() { Operation = Guid.NewGuid() });
                await shop.SaveChangesAsync();
                return await endpoint(http, shop, run);
            }).RequireIdempotencyKey(o =>
            {
                o.InTransactionOf<RecordShop>(terms);
                options?.Invoke(o);
            }),
            context,
            gate);

    private static Task<IResult> Created(int run) => Task.FromResult<IResult>(TypedResults.Created($"/orders/{run}", $"order {run}"));

    [Fact]
    public async Task A_success_is_committed_with_its_rows_and_replayed_byte_for_byte()
    {
        await using Service service = await OpenAsync((_, _, run) => Created(run));

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync(), other = await service.SendAsync(key: "k2");

        (first.Status, first.Text, first.Location, first.IsReplayed).Should().Be((201, "\"order 1\"", "/orders/1", false));
        again.Seen.Should().Be(first.Seen);
        (again.IsReplayed, other.Text).Should().Be((true, "\"order 2\""));
        (_runs, await _database.CountOrdersAsync()).Should().Be((2, 2));
    }

    [Fact]
    public async Task Another_process_replays_it_too()
    {
        await using Service service = await OpenAsync((_, _, run) => Created(run)), elsewhere = await OpenAsync((_, _, run) => Created(run));

        Service.Reply first = await service.SendAsync(), again = await elsewhere.SendAsync();

        again.Seen.Should().Be(first.Seen);
        (again.IsReplayed, _runs, await _database.CountOrdersAsync()).Should().Be((true, 1, 1));
    }

    [Fact]
    public async Task A_rejection_is_kept_and_its_rows_are_gone()
    {
        await using Service service = await OpenAsync((_, _, _) => Task.FromResult<IResult>(TypedResults.UnprocessableEntity("no such article")));

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync();

        (first.Status, again.IsReplayed, again.Seen).Should().Be((422, true, first.Seen));
        (_runs, await _database.CountOrdersAsync()).Should().Be((1, 0));
    }

    [Theory]
    [InlineData(429, false, 2)]
    [InlineData(500, false, 1)]
    [InlineData(500, true, 2)]
    public async Task What_is_no_success_is_rolled_back_and_given_back_or_held(int status, bool hasNoEffectsElsewhere, int runs)
    {
        await using Service service = await OpenAsync(
            (_, _, _) => Task.FromResult<IResult>(TypedResults.StatusCode(status)),
            t => t.HasNoEffectsElsewhere = hasNoEffectsElsewhere,
            o => o.WhenInFlight = WhenInFlight.Reject);

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync();

        first.Status.Should().Be(status);
        again.Status.Should().Be(runs == 2 ? status : 409);
        (_runs, await _database.CountOrdersAsync()).Should().Be((runs, 0));
    }

    [Fact]
    public async Task A_status_that_is_to_be_committed_is()
    {
        await using Service service = await OpenAsync(
            (_, _, _) => Task.FromResult<IResult>(TypedResults.Conflict("the second one")), t => t.CommitWhen = static status => status < 500);

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync();

        (first.Status, again.IsReplayed, again.Seen).Should().Be((409, true, first.Seen));
        (_runs, await _database.CountOrdersAsync()).Should().Be((1, 1));
    }

    [Fact]
    public async Task An_error_of_the_database_is_rolled_back_and_given_back()
    {
        await using Service service = await OpenAsync(async (_, shop, run) =>
        {
            if (run == 1) await shop.Database.ExecuteSqlRawAsync("INSERT INTO no_such_table VALUES (1)");
            return await Created(run);
        });

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync();

        (first.Status, again.Status, again.Text).Should().Be((500, 201, "\"order 2\""));
        (await _database.CountOrdersAsync()).Should().Be(1);
    }

    [Theory]
    [InlineData(false, false, 409)]
    [InlineData(true, false, 201)]
    [InlineData(true, true, 409)]
    public async Task Another_error_is_rolled_back_and_held_unless_nothing_was_done_elsewhere(bool hasNoEffectsElsewhere, bool isPast, int again)
    {
        await using Service service = await OpenAsync(
            (http, _, run) =>
            {
                if (isPast) http.GetIdempotencyClaim()!.PassPointOfNoReturn();
                return run == 1 ? throw new TimeoutException("the carrier does not answer") : Created(run);
            },
            t => t.HasNoEffectsElsewhere = hasNoEffectsElsewhere,
            o => o.WhenInFlight = WhenInFlight.Reject);

        (await service.SendAsync()).Status.Should().Be(500);
        Service.Reply second = await service.SendAsync();

        second.Status.Should().Be(again);
        if (isPast) second.Problem.Code.Should().Be("outcome-unknown");
        (await _database.CountOrdersAsync()).Should().Be(again == 201 ? 1 : 0);
    }

    [Fact]
    public async Task What_is_streamed_is_held_back_until_the_commit_and_kept()
    {
        byte[] piece = new byte[40_000];
        Array.Fill(piece, (byte)'x');
        CommitWatch commits = new();
        await using Service service = await OpenAsync(
            async (http, _, _) =>
            {
                http.Response.ContentType = "text/event-stream";
                await http.Response.StartAsync();
                for (int i = 0; i < 5; i++)
                {
                    await http.Response.Body.WriteAsync(piece);
                    await http.Response.Body.FlushAsync();
                    commits.HasStarted |= http.Response.HasStarted;
                }

                return TypedResults.Empty;
            },
            t => t.MaxHeldBytes = 50_000,
            context: o => o.AddInterceptors(commits));

        Service.Reply first = await service.SendAsync(), again = await service.SendAsync();

        first.Body.Length.Should().Be(200_000);
        again.Seen.Should().Be(first.Seen);
        (commits.HasStarted, commits.Count, again.IsReplayed).Should().Be((false, 1, true));
    }

    [Fact]
    public async Task A_response_that_is_too_large_is_sent_and_not_kept()
    {
        await using Service service = await OpenAsync((_, _, _) => Task.FromResult<IResult>(TypedResults.Text(new string('y', 300_000))));

        (await service.SendAsync()).Body.Length.Should().Be(300_000);
        (await service.SendAsync()).Problem.Should().Be((409, "response-not-retained"));
        (_runs, await _database.CountOrdersAsync()).Should().Be((1, 1));
    }

    [Theory]
    [InlineData("commit")]
    [InlineData("rollback")]
    [InlineData("driver")]
    [InlineData("dispose")]
    public async Task Who_ends_the_transaction_himself_is_told_and_the_outcome_is_unknown(string how)
    {
        await using Service service = await OpenAsync(async (http, shop, run) =>
        {
            if (how == "commit") await shop.Database.CommitTransactionAsync();
            else if (how == "rollback") await shop.Database.RollbackTransactionAsync();
            else if (how == "driver") await http.GetIdempotencyClaim()!.Transaction!.CommitAsync();
            else await shop.DisposeAsync();
            return await Created(run);
        });

        (await service.SendAsync()).Status.Should().Be(500);
        service.LastError.Should().BeOfType<TransactionTakenException>("{0}", service.LastError);
        (await service.SendAsync()).Problem.Should().Be((409, "outcome-unknown"));
        _runs.Should().Be(1);
    }

    [Fact]
    public async Task The_transaction_is_there_for_a_second_context()
    {
        await using Service service = await OpenAsync(async (http, shop, run) =>
        {
            DbTransaction transaction = http.GetIdempotencyClaim()!.Transaction!;
            transaction.Should().BeSameAs(shop.Database.CurrentTransaction!.GetDbTransaction());
            DbContextOptionsBuilder<RecordShop> second = new();
            if (kind == RecordDatabase.Sqlite) second.UseSqlite(transaction.Connection!);
            else second.UseNpgsql(transaction.Connection!);
            await using RecordShop other = new(second.Options);
            await other.Database.UseTransactionAsync(transaction);
            other.Orders.Add(new() { Operation = Guid.NewGuid() });
            await other.SaveChangesAsync();
            return run == 1 ? TypedResults.NotFound() : await Created(run);
        });

        (await service.SendAsync(key: "a")).Status.Should().Be(404);
        (await _database.CountOrdersAsync()).Should().Be(0);
        (await service.SendAsync(key: "b")).Status.Should().Be(201);
        (await _database.CountOrdersAsync()).Should().Be(2);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_conflict_is_told_or_the_endpoint_runs_again_with_nothing_of_the_run_before(int attempts)
    {
        List<string> bodies = [];
        await using Service service = await OpenAsync(
            async (http, shop, run) =>
            {
                bodies.Add(await new StreamReader(http.Request.Body).ReadToEndAsync());
                http.Response.Headers.ETag = run == 1 ? "\"stale\"" : default;
                await http.Response.WriteAsync($"run {run}, {shop.ChangeTracker.Entries().Count()} tracked");
                if (run == 1) throw new InvalidOperationException("wrapped", ConflictOf(kind));
                return TypedResults.Empty;
            },
            t => t.Attempts = attempts);

        Service.Reply first = await service.SendAsync(body: """{"a":1}""");

        if (attempts == 1)
        {
            (first.Problem, first.MayRetry).Should().Be(((503, "not-committed"), true));
            (await _database.CountOrdersAsync()).Should().Be(0);
            first = await service.SendAsync(body: """{"a":1}""");
        }

        (first.Status, first.Text).Should().Be((200, "run 2, 1 tracked"));
        bodies.Should().Equal("""{"a":1}""", """{"a":1}""");
        (_runs, await _database.CountOrdersAsync()).Should().Be((2, 1));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_lost_acknowledgement_of_COMMIT_the_database_is_asked(bool wasCommitted)
    {
        CommitFault fault = new(wasCommitted ? CommitFault.Kind.LostAfter : CommitFault.Kind.LostBefore);
        await using Service service = await OpenAsync((_, _, run) => Created(run), context: o => o.AddInterceptors(fault));

        Service.Reply first = await service.SendAsync();

        if (wasCommitted) (first.Status, first.Text).Should().Be((201, "\"order 1\""));
        else (first.Problem, first.MayRetry).Should().Be(((503, "not-committed"), true));
        (await service.SendAsync()).Text.Should().Be(wasCommitted ? "\"order 1\"" : "\"order 2\"");
        (await _database.CountOrdersAsync()).Should().Be(1);
    }

    [Fact]
    public async Task A_conflict_at_COMMIT_is_rolled_back_and_the_endpoint_may_run_again()
    {
        CommitFault fault = new(CommitFault.Kind.Conflict) { ConflictError = ConflictOf(kind) };
        await using Service service = await OpenAsync((_, _, run) => Created(run), t => t.Attempts = 2, context: o => o.AddInterceptors(fault));

        (await service.SendAsync()).Text.Should().Be("\"order 2\"");
        (_runs, await _database.CountOrdersAsync()).Should().Be((2, 1));
    }

    [Theory]
    [InlineData("resilience")]
    [InlineData("driver")]
    public async Task Execution_strategies_are_entered_once_and_repeat_nothing(string strategy)
    {
        bool isDriver = strategy == "driver" && kind == RecordDatabase.PostgreSql;
        await using Service service = await OpenAsync(
            async (_, shop, run) =>
            {
                (await shop.Orders.CountAsync()).Should().Be(1, "queries run in it too");
                if (run == 1) throw new Npgsql.NpgsqlException("the connection is lost", new IOException());
                return await Created(run);
            },
            options: o => o.WhenInFlight = WhenInFlight.Reject,
            context: o =>
            {
                if (isDriver) o.UseNpgsql(_database.ConnectionString, n => n.EnableRetryOnFailure());
                else o.UseResilience(Pipelines.Retrying());
            });

        (await service.SendAsync(key: "a")).Status.Should().Be(500);
        _runs.Should().Be(1);
        (await service.SendAsync(key: "b")).Status.Should().Be(201);
        (await _database.CountOrdersAsync()).Should().Be(1);
    }

    [Fact]
    public async Task What_no_store_has_transactions_of_stops_the_start()
    {
        Func<Task> open = () => Service.OpenAsync(
            _database, app => app.MapPost("/orders", static () => "").RequireIdempotencyKey(o => o.InTransactionOf<SqliteShop>()));

        (await open.Should().ThrowAsync<ResilienceOptionsException>()).Which.Message.Should().Contain("InTransactionOf").And.Contain("SqliteShop");
    }

    private static Exception ConflictOf(string kind) => kind == RecordDatabase.Sqlite
        ? new Microsoft.Data.Sqlite.SqliteException("database is locked", 5)
        : new Npgsql.PostgresException("could not serialize access", "ERROR", "ERROR", "40001");

    public async Task InitializeAsync()
    {
        if (server is not null && Requirements.AreMissingFor(typeof(PostgresServer))) return;
        _database = await RecordDatabase.OpenAsync(kind, server);
    }

    public async Task DisposeAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
    }
}

public sealed class SqliteInTransactionTests() : InTransactionTests(RecordDatabase.Sqlite, null);

[Requires(Tool.PostgreSql)]
public sealed class PostgreSqlInTransactionTests(PostgresServer server)
    : InTransactionTests(RecordDatabase.PostgreSql, server), IClassFixture<PostgresServer>;
