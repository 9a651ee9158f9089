using System.Data;
using System.Data.Common;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.StoreTests.Servers;
using Resilience.Testing;
using Resilience.Tests.Support;
using Xunit.Sdk;

namespace Resilience.EntityFrameworkCore.Tests.Idempotency;

/// <summary>The laws of records and rows in one transaction, each with a flaw that its check finds. What a connection that is cut does to them:
/// <see cref="EndpointCutTests"/>.</summary>
public abstract class TransactionLawTests(string kind, PostgresServer? server) : IAsyncLifetime
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    private RecordDatabase _database = null!;

    private bool IsSqlite => kind == RecordDatabase.Sqlite;

    [Fact]
    public Task T2_No_byte_of_a_response_leaves_before_the_commit() => NoByteBeforeTheCommitAsync(inTransaction: true);

    [Fact]
    public Task T2_A_response_that_is_sent_before_its_commit_is_found() => FoundAsync(() => NoByteBeforeTheCommitAsync(inTransaction: false));

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.ChangedPayload)]
    public Task T3_A_replay_is_the_first_response_byte_for_byte(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        await using Service service = await OpenAsync(flaw, (_, _) => Task.FromResult<IResult>(TypedResults.Bytes([0, 1, 2, 254, 255], "application/x-odd")));
        await using Service elsewhere = await OpenAsync(flaw, (_, _) => throw new InvalidOperationException("executed twice"));
        Service.Reply first = await service.SendAsync(), again = await elsewhere.SendAsync();
        (again.IsReplayed, again.Seen).Should().Be((true, first.Seen));
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.NoFence)]
    public Task T4_A_completion_with_a_stale_fence_changes_nothing_and_rolls_back(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        if (IsSqlite) return; // the transaction has the file to itself, so no other caller takes over
        EntityFrameworkIdempotencyStore other = _database.Store();
        await using Service service = await OpenAsync(flaw, async (http, _) =>
        {
            IdempotencyClaim claim = http.GetIdempotencyClaim()!;
            (await other.RenewAsync(claim.Id, claim.Fence, TimeSpan.FromMicroseconds(1))).Should().BeTrue();
            AcquireRequest request = Ask(claim.Id) with { Fingerprint = claim.Fingerprint };
            AcquireResult successor;
            do successor = await other.TryAcquireAsync(request);
            while (successor.Status != AcquireStatus.Acquired);
            return TypedResults.Ok("late");
        });
        (await service.SendAsync()).Problem.Should().Be((503, "outcome-pending"));
        (await _database.CountOrdersAsync()).Should().Be(0);
    });

    [Fact]
    public async Task T5_While_a_transaction_has_the_id_others_hear_in_flight()
    {
        EntityFrameworkIdempotencyStore store = _database.Store();
        (RecordShop shop, DbTransaction transaction, IdempotencyId id) = await BeginAsync();
        await using (shop)
        {
            (await store.TryAcquireAsync(transaction, Ask(id))).Status.Should().Be(AcquireStatus.Acquired);
            EntityFrameworkIdempotencyStore asked = IsSqlite ? store : _database.Store(); // SQLite knows it of its own process
            (await asked.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
            if (!IsSqlite) (await _database.AskAsync("SELECT count(*) FROM pg_locks WHERE NOT granted")).Should().Be(0L, "no session waits");
        }
    }

    [Fact]
    public async Task T5_A_store_that_makes_others_wait_for_the_row_is_found()
    {
        if (IsSqlite) return;
        (RecordShop shop, DbTransaction transaction, IdempotencyId id) = await BeginAsync();
        Task<AcquireResult> waiting;
        await using (shop)
        {
            (await _database.PortableStore().TryAcquireAsync(transaction, Ask(id))).Status.Should().Be(AcquireStatus.Acquired);
            waiting = _database.PortableStore().TryAcquireAsync(Ask(id)).AsTask();
            using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
            while ((long)(await _database.AskAsync("SELECT count(*) FROM pg_locks WHERE NOT granted"))! == 0) patience.Token.ThrowIfCancellationRequested();
            await transaction.RollbackAsync();
        }

        (await waiting).Status.Should().Be(AcquireStatus.Acquired, "it waited for the row");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task T6_Contention_leaves_a_callers_own_transaction_usable(bool isPortable)
    {
        EntityFrameworkIdempotencyStore store = isPortable ? _database.PortableStore() : _database.Store();
        IdempotencyId id = NewId();
        (await store.TryAcquireAsync(Ask(id))).Status.Should().Be(AcquireStatus.Acquired);
        await using RecordShop shop = _database.Open();
        await using IDbContextTransaction transaction = await shop.Database.BeginTransactionAsync();
        (await store.TryAcquireAsync(transaction.GetDbTransaction(), Ask(id))).Status.Should().Be(AcquireStatus.InFlight);
        shop.Orders.Add(new() { Operation = Guid.NewGuid() });
        await shop.SaveChangesAsync();
        await transaction.CommitAsync();
        (await _database.CountOrdersAsync()).Should().Be(1);
    }

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.RecordErrorIgnored)]
    public Task T7_A_transaction_that_was_broken_off_never_ends_in_a_success(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        if (IsSqlite) return; // an error of a statement leaves a transaction of SQLite as it was
        await using Service service = await OpenAsync(flaw, async (_, shop) =>
        {
            try
            {
                await shop.Database.ExecuteSqlRawAsync("INSERT INTO no_such_table VALUES (1)");
            }
            catch (DbException)
            {
                // The endpoint goes on as if nothing had happened.
            }

            return TypedResults.Ok("done");
        });
        (await service.SendAsync()).Problem.Should().Be((503, "not-committed"));
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.CommitTrusted)]
    public Task T8_A_commit_in_doubt_is_answered_truly(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        CommitFault fault = new(CommitFault.Kind.LostBefore);
        await using Service service = await OpenAsync(
            flaw, (_, _) => Task.FromResult<IResult>(TypedResults.Ok("done")), context: o => o.AddInterceptors(fault));
        Service.Reply first = await service.SendAsync();
        (first.Status == 200, await _database.CountOrdersAsync() == 1).Should().Be((false, false));
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.NotEntered)]
    public Task T9_The_renewal_never_loses_a_claim_to_its_own_transaction(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        bool wasLost = false;
        EntityFrameworkIdempotencyStore store = _database.Store();
        await using Service service = await OpenAsync(
            flaw,
            async (http, _) =>
            {
                // Until the lease of the row has run out, because nothing renewed it; with the flaw, until the claim is lost or its row was renewed.
                IdempotencyClaim claim = http.GetIdempotencyClaim()!;
                object? lease = await LeaseAsync();
                using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
                while (flaw == Flaw.None
                    ? (await store.PeekAsync(claim.Id)).State != IdempotencyState.Lapsed
                    : !claim.LeaseLost.IsCancellationRequested && lease!.Equals(await LeaseAsync()))
                    patience.Token.ThrowIfCancellationRequested();
                wasLost = claim.IsLost;
                return TypedResults.Ok("done");
            },
            t => t.IsolationLevel = IsSqlite ? IsolationLevel.Unspecified : IsolationLevel.Serializable,
            gate: g => (g.Lease, g.FinishTimeout) = (TimeSpan.FromMilliseconds(400), TimeSpan.FromMilliseconds(50)),
            canLapse: true);
        Service.Reply first = await service.SendAsync();
        (wasLost, first.Status, await _database.CountOrdersAsync()).Should().Be((false, 200, 1L));
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.NothingForgotten)]
    public Task T10_A_run_after_a_conflict_sees_nothing_of_the_run_before(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        List<int> tracked = [];
        await using Service service = await OpenAsync(
            flaw,
            async (http, shop) =>
            {
                tracked.Add(shop.ChangeTracker.Entries().Count());
                await http.Response.WriteAsync("x");
                if (tracked.Count < 3) throw Conflict();
                return TypedResults.Empty;
            },
            t => t.Attempts = 3);
        (await service.SendAsync()).Text.Should().Be("x");
        tracked.Should().Equal(1, 1, 1);
        (await _database.CountOrdersAsync()).Should().Be(1);
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.AllCommitted)]
    public Task T11_The_rows_of_a_rejection_that_is_kept_are_gone(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        await using Service service = await OpenAsync(
            Flaw.None,
            (_, _) => Task.FromResult<IResult>(TypedResults.NotFound()),
            t => t.CommitWhen = flaw == Flaw.AllCommitted ? static _ => true : null);
        (await service.SendAsync()).Status.Should().Be(404);
        ((await service.SendAsync()).IsReplayed, await _database.CountOrdersAsync()).Should().Be((true, 0L));
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.CommitCancelled)]
    public Task T12_A_client_that_leaves_changes_none_of_this(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously), left = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using Service service = await OpenAsync(flaw, async (_, _) =>
        {
            begun.TrySetResult();
            await left.Task;
            return TypedResults.Ok("done");
        });
        using CancellationTokenSource leaving = new();
        Task<Service.Reply> first = service.SendAsync(stop: leaving.Token);
        await begun.Task;
        await leaving.CancelAsync();
        await first.ContinueWith(static _ => { }, TaskScheduler.Default);
        left.SetResult();
        Service.Reply again = await service.SendAsync();
        (again.Status, again.IsReplayed, await _database.CountOrdersAsync()).Should().Be((200, true, 1L));
    });

    [Fact]
    public async Task T13_A_store_whose_clock_stands_still_is_found()
    {
        EntityFrameworkIdempotencyStore store = _database.Store(new() { ServerClock = "1700000000000000" });
        IdempotencyStoreLaw law = IdempotencyStoreContract.Laws.Single(l => l.Name == "What has expired is gone at once, and the next fence is larger");
        await FoundAsync(() => law.CheckAsync(new Frozen(store)));
    }

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.OneTenant)]
    public Task T14_Two_tenants_never_meet(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        await using Service service = await OpenAsync(
            Flaw.None,
            (http, _) => Task.FromResult<IResult>(TypedResults.Ok(http.Request.Headers["X-Tenant"].ToString())),
            options: o => o.ScopeFor = http => flaw == Flaw.OneTenant ? "all" : http.Request.Headers["X-Tenant"]);
        foreach (string tenant in (string[])["a", "b", "a"]) (await service.SendAsync(tenant: tenant)).Text.Should().Be($"\"{tenant}\"");
        (await _database.CountOrdersAsync()).Should().Be(2);
    });

    [Theory]
    [InlineData(Flaw.None)]
    [InlineData(Flaw.AlwaysGranted)]
    public Task T15_Both_modes_on_one_id_never_both_execute(Flaw flaw) => CheckAsync(flaw, async () =>
    {
        FlawedRecords store = new(_database.Store(), flaw);
        using IdempotencyGate gate = new(store, new() { WhenInFlight = WhenInFlight.Reject, AcquireTimeout = TimeSpan.FromSeconds(30) });
        for (int i = 0; i < 10; i++)
        {
            IdempotencyId id = NewId();
            Guid operation = Guid.NewGuid();
            bool[] done = await Task.WhenAll(Task.Run(() => ClaimFirstAsync(gate, id, operation)), Task.Run(() => InOneTransactionAsync(store, id, operation)));
            done.Count(d => d).Should().BeLessThanOrEqualTo(1);
            Convert.ToInt64(await _database.AskAsync("SELECT count(*) FROM orders")).Should().BeLessThanOrEqualTo(i + 1);
        }
    });

    private Task<object?> LeaseAsync() => _database.AskAsync("""SELECT "LeaseUntil" FROM "ResilienceIdempotency" """);

    private async Task<bool> ClaimFirstAsync(IdempotencyGate gate, IdempotencyId id, Guid operation)
    {
        if ((await gate.EnterAsync(id, default)).Claim is not { } claim) return false;
        await using (claim)
        {
            await using RecordShop shop = _database.Open();
            await using IDbContextTransaction transaction = await shop.Database.BeginTransactionAsync();
            await claim.EnterTransactionAsync(transaction.GetDbTransaction());
            shop.Orders.Add(new() { Operation = operation });
            await shop.SaveChangesAsync();
            if (await claim.CompleteInAsync(transaction.GetDbTransaction(), IdempotencyPayloadKind.Value, default) != IdempotencyFinish.Kept) return false;
            await transaction.CommitAsync();
            claim.Committed();
            return true;
        }
    }

    private async Task<bool> InOneTransactionAsync(FlawedRecords store, IdempotencyId id, Guid operation)
    {
        await using RecordShop shop = _database.Open();
        await using IDbContextTransaction transaction = await shop.Database.BeginTransactionAsync();
        AcquireResult claim = await store.TryAcquireAsync(transaction.GetDbTransaction(), Ask(id) with { Fingerprint = default });
        if (claim.Status != AcquireStatus.Acquired) return false;
        shop.Orders.Add(new() { Operation = operation });
        await shop.SaveChangesAsync();
        if (!await store.CompleteAsync(transaction.GetDbTransaction(), id, claim.Fence, IdempotencyCompletion.Completed, default, Long)) return false;
        await transaction.CommitAsync();
        return true;
    }

    private async Task NoByteBeforeTheCommitAsync(bool inTransaction)
    {
        CommitWatch commits = new();
        await using Service service = await Service.OpenAsync(
            _database,
            app => app.MapPost("/orders", async (HttpContext http, RecordShop shop) =>
            {
                IDbContextTransaction? own = inTransaction ? null : await shop.Database.BeginTransactionAsync();
                http.Response.ContentType = "text/event-stream";
                await http.Response.WriteAsync("data: 1\n\n");
                await http.Response.Body.FlushAsync();
                commits.HasStarted |= http.Response.HasStarted;
                if (own is not null) await own.CommitAsync();
            }).RequireIdempotencyKey(o =>
            {
                if (inTransaction) o.InTransactionOf<RecordShop>();
            }),
            o => o.AddInterceptors(commits));
        Service.Reply reply = await service.SendAsync();
        (reply.Text, commits.Count, commits.HasStarted).Should().Be(("data: 1\n\n", 1, false));
    }

    private Task<Service> OpenAsync(
        Flaw flaw,
        Func<HttpContext, RecordShop, Task<IResult>> endpoint,
        Action<EndpointTransactionOptions>? terms = null,
        Action<IdempotencyEndpointOptions>? options = null,
        Action<DbContextOptionsBuilder>? context = null,
        Action<IdempotencyOptions>? gate = null,
        bool canLapse = false) => Service.OpenAsync(
            _database,
            app => app.MapPost("/orders", async (HttpContext http, RecordShop shop) =>
            {
                shop.Orders.Add(new() { Operation = Guid.NewGuid() });
                await shop.SaveChangesAsync(canLapse ? default : http.RequestAborted);
                return await endpoint(http, shop);
            }).RequireIdempotencyKey(o =>
            {
                o.InTransactionOf<RecordShop>(terms);
                options?.Invoke(o);
            }),
            context,
            gate,
            flaw: flaw);

    private async Task<(RecordShop Shop, DbTransaction Transaction, IdempotencyId Id)> BeginAsync()
    {
        RecordShop shop = _database.Open();
        IDbContextTransaction transaction = await shop.Database.BeginTransactionAsync();
        return (shop, transaction.GetDbTransaction(), NewId());
    }

    private Exception Conflict() => IsSqlite
        ? new Microsoft.Data.Sqlite.SqliteException("database is locked", 5)
        : new Npgsql.PostgresException("could not serialize access", "ERROR", "ERROR", "40001");

    private static IdempotencyId NewId() => IdempotencyKey.Shared(Guid.NewGuid().ToString("N")).ToId();

    private static AcquireRequest Ask(IdempotencyId id) => new() { Id = id, Nonce = Guid.NewGuid(), Lease = Long, Retention = Long, MaxAttempts = 9 };

    /// <summary>The law holds; with a flaw, its check fails.</summary>
    private Task CheckAsync(Flaw flaw, Func<Task> check) =>
        flaw == Flaw.None || (IsSqlite && flaw is Flaw.NoFence or Flaw.RecordErrorIgnored) ? check() : FoundAsync(check);

    private static async Task FoundAsync(Func<Task> check)
    {
        try
        {
            await check();
        }
        catch (Exception found) when (found is XunitException or ContractViolationException)
        {
            return;
        }

        Assert.Fail("The flaw was not found.");
    }

    public async Task InitializeAsync()
    {
        if (server is not null && Requirements.AreMissingFor(typeof(PostgresServer))) return;
        _database = await RecordDatabase.OpenAsync(kind, server);
    }

    public async Task DisposeAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
    }

    private sealed class Frozen(IIdempotencyStore store) : IdempotencyStoreSubject
    {
        public override ValueTask<IIdempotencyStore> OpenAsync() => new(store);
    }
}

public sealed class SqliteTransactionLawTests() : TransactionLawTests(RecordDatabase.Sqlite, null);

[Requires(Tool.PostgreSql)]
public sealed class PostgreSqlTransactionLawTests(PostgresServer server)
    : TransactionLawTests(RecordDatabase.PostgreSql, server), IClassFixture<PostgresServer>;
