using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.AspNetCore.Tests;

/// <summary>An endpoint that commits its response with its rows: it is not completed again, and duplicates receive what was committed.</summary>
public sealed class CompleteInEndpointTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"endpoint-{Guid.NewGuid():N}.db");
    private int _executions;

    public CompleteInEndpointTests() => Run("CREATE TABLE orders (id INTEGER)");

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        foreach (string part in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(part);
    }

    private SqliteConnection Connect()
    {
        SqliteConnection connection = new($"Data Source={_file};Pooling=False");
        connection.Open();
        return connection;
    }

    private object? Run(string sql)
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar();
    }

    private long Rows => (long)Run("SELECT count(*) FROM orders")!;

    /// <summary>An endpoint that inserts a row and completes its key in one transaction; then the test goes on with it.</summary>
    private Task<Shop> OpenAsync(Func<HttpContext, SqliteTransaction, IResult, int, IResult> goOn) => Shop.OpenAsync(
        app => app.MapPost("/orders", async (HttpContext context) =>
        {
            int number = Interlocked.Increment(ref _executions);
            await using SqliteConnection connection = Connect();
            await using SqliteTransaction transaction = connection.BeginTransaction(deferred: false);
            await using SqliteCommand insert = connection.CreateCommand();
            insert.Transaction = transaction;
            insert.CommandText = string.Create(CultureInfo.InvariantCulture, $"INSERT INTO orders VALUES ({number})");
            await insert.ExecuteNonQueryAsync();
            IResult response = TypedResults.Created($"/orders/{number}", $"order {number}");
            (await context.CompleteIdempotencyKeyInAsync(transaction, response)).Should().Be(IdempotencyFinish.Kept);
            return goOn(context, transaction, response, number);
        }).RequireIdempotencyKey(),
        gate: g => g.UseSqlite($"Data Source={_file}"));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_committed_with_the_rows_is_sent_once_and_replayed(bool saysSo)
    {
        await using Shop shop = await OpenAsync((context, transaction, response, _) =>
        {
            transaction.Commit();
            if (saysSo) context.GetIdempotencyClaim()!.Committed();
            return response;
        });

        Shop.Reply first = await shop.SendAsync("/orders"), again = await shop.SendAsync("/orders");

        (first.Status, first.Text, first.IsReplayed).Should().Be((201, "\"order 1\"", false));
        (again.Status, again.Text, again.IsReplayed).Should().Be((201, "\"order 1\"", true));
        again.Headers.Location.Should().Be(first.Headers.Location);
        (_executions, Rows).Should().Be((1, 1));
    }

    [Fact]
    public async Task An_error_after_the_commit_executes_nothing_again()
    {
        await using Shop shop = await OpenAsync((_, transaction, _, _) =>
        {
            transaction.Commit();
            throw new IOException("the acknowledgement was lost");
        });

        (await shop.SendAsync("/orders")).Status.Should().Be(500);
        Shop.Reply again = await shop.SendAsync("/orders");

        (again.Status, again.Text, again.IsReplayed).Should().Be((201, "\"order 1\"", true));
        (_executions, Rows).Should().Be((1, 1));
    }

    [Fact]
    public async Task A_success_that_was_rolled_back_is_not_sent_and_is_executed_again()
    {
        await using Shop shop = await OpenAsync((_, transaction, response, number) =>
        {
            if (number == 1) transaction.Rollback();
            else transaction.Commit();
            return response;
        });

        Shop.Reply lost = await shop.SendAsync("/orders"), done = await shop.SendAsync("/orders");

        (lost.Status, lost.Text.Contains("not-committed", StringComparison.Ordinal), lost.Headers.RetryAfter is not null).Should().Be((503, true, true));
        (done.Status, done.Text, done.IsReplayed).Should().Be((201, "\"order 2\"", false));
        (_executions, Rows).Should().Be((2, 1));
    }

    [Fact]
    public async Task A_rejection_after_a_rollback_is_kept_as_any_other()
    {
        await using Shop shop = await OpenAsync((_, transaction, _, _) =>
        {
            transaction.Rollback();
            return TypedResults.UnprocessableEntity("no such article");
        });

        Shop.Reply first = await shop.SendAsync("/orders"), again = await shop.SendAsync("/orders");

        (first.Status, again.Status, again.IsReplayed).Should().Be((422, 422, true));
        (_executions, Rows).Should().Be((1, 0));
    }

    [Fact]
    public async Task An_exception_that_rolls_back_is_judged_by_the_table()
    {
        await using Shop shop = await OpenAsync((_, transaction, response, number) =>
        {
            if (number == 1) throw new ValidationException("no such article");
            transaction.Commit();
            return response;
        });

        (await shop.SendAsync("/orders")).Status.Should().Be(500);
        Shop.Reply again = await shop.SendAsync("/orders");

        (again.Status, again.Text).Should().Be((201, "\"order 2\""), "nothing was done, so the key was free at once");
        (_executions, Rows).Should().Be((2, 1));
    }

    [Fact]
    public async Task An_endpoint_that_ends_its_claim_itself_is_answered_as_it_says()
    {
        await using Shop shop = await Shop.OpenAsync(app => app.MapPost("/orders", async (HttpContext context) =>
        {
            await context.GetIdempotencyClaim()!.ReleaseAsync();
            return $"{Interlocked.Increment(ref _executions)}";
        }).RequireIdempotencyKey());

        (await shop.SendAsync("/orders")).Text.Should().Be("1");
        (await shop.SendAsync("/orders")).Text.Should().Be("2");
    }

    [Fact]
    public async Task An_endpoint_that_lost_the_claim_sends_what_the_other_one_recorded()
    {
        await using SqliteIdempotencyStore store = new($"Data Source={_file}");
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/orders", async (HttpContext context) =>
            {
                IdempotencyClaim claim = context.GetIdempotencyClaim()!;
                await TakeOverAsync(store, claim);
                await using SqliteConnection connection = Connect();
                await using SqliteTransaction transaction = connection.BeginTransaction(deferred: false);
                (await context.CompleteIdempotencyKeyInAsync(transaction, TypedResults.Ok("mine"))).Should().Be(IdempotencyFinish.Lost);
                await transaction.RollbackAsync();
                return TypedResults.Ok("mine");
            }).RequireIdempotencyKey(),
            gate: g => g.UseStore(_ => store));

        Shop.Reply reply = await shop.SendAsync("/orders");

        (reply.Status, reply.Text, reply.IsReplayed).Should().Be((202, "theirs", true));
    }

    [Theory]
    [InlineData(200)]
    [InlineData(422)]
    public async Task An_endpoint_that_lost_the_claim_to_one_that_still_runs_does_not_send_what_it_rolled_back(int status)
    {
        await using SqliteIdempotencyStore store = new($"Data Source={_file}");
        await using Shop shop = await Shop.OpenAsync(
            app => app.MapPost("/orders", async (HttpContext context) =>
            {
                await TakeOverAsync(store, context.GetIdempotencyClaim()!, completes: false);
                await using SqliteConnection connection = Connect();
                await using SqliteTransaction transaction = connection.BeginTransaction(deferred: false);
                (await context.CompleteIdempotencyKeyInAsync(transaction, TypedResults.Ok("mine"))).Should().Be(IdempotencyFinish.Lost);
                await transaction.RollbackAsync();
                return TypedResults.Json("mine", statusCode: status);
            }).RequireIdempotencyKey(),
            gate: g => g.UseStore(_ => store));

        Shop.Reply reply = await shop.SendAsync("/orders");

        (reply.Status, reply.Text.Contains("outcome-pending", StringComparison.Ordinal), reply.Headers.RetryAfter is not null).Should().Be((503, true, true));
        reply.Text.Should().NotContain("mine");
    }

    /// <summary>As another process does it after a lapsed lease; by a release, so that the test does not wait for one.</summary>
    private static async Task TakeOverAsync(SqliteIdempotencyStore store, IdempotencyClaim claim, bool completes = true)
    {
        await store.ReleaseAsync(claim.Id, claim.Fence);
        AcquireResult other = await store.TryAcquireAsync(new()
        {
            Id = claim.Id,
            Fingerprint = claim.Fingerprint,
            Nonce = Guid.NewGuid(),
            Lease = TimeSpan.FromMinutes(1),
            Retention = TimeSpan.FromHours(1),
            MaxAttempts = 5,
        });
        if (!completes) return;
        byte[] record = new HttpResponseRecord { Status = 202, Body = "theirs"u8.ToArray() }.Encode();
        await store.CompleteAsync(
            claim.Id, other.Fence, IdempotencyCompletion.Completed, IdempotencyPayload.Encode(IdempotencyPayloadKind.HttpResponse, record), TimeSpan.FromHours(1));
    }
}
