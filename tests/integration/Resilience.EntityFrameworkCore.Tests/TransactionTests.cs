using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore.Tests.Support;
using static Resilience.EntityFrameworkCore.Tests.Support.CommitFault;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary><c>InTransaction</c> and what is known after COMMIT. Synchronous and not.</summary>
public sealed class TransactionTests : IDisposable
{
    private readonly SqliteShop _shops = new();
    private int _attempts;

    public static TheoryData<bool> BothWays => [true, false];

    public void Dispose() => _shops.Dispose();

    /// <summary>Adds an order with a key of its own; the result is its id.</summary>
    private Task<long> AddAsync(Shop shop, bool isAsync, string code = "a", Func<Shop, bool>? verify = null, bool isRepeatable = false)
    {
        if (!isAsync)
        {
            return Task.FromResult(shop.InTransaction(
                db =>
                {
                    _attempts++;
                    Order order = db.Add(new Order { Code = code }).Entity;
                    db.SaveChanges();
                    return order.Id;
                },
                verify,
                isRepeatable: isRepeatable));
        }

        return shop.InTransactionAsync(
            async (db, token) =>
            {
                _attempts++;
                Order order = db.Add(new Order { Code = code }).Entity;
                await db.SaveChangesAsync(token);
                return order.Id;
            },
            verify is null ? null : (db, _) => Task.FromResult(verify(db)),
            isRepeatable: isRepeatable);
    }

    private static bool IsThere(Shop shop) => shop.Orders.AsNoTracking().Any(o => o.Code == "a");

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_unknown_outcome_is_told_and_not_repeated(bool isAsync)
    {
        List<ResilienceEvent> events = [];
        using Shop shop = _shops.Open(Pipelines.Retrying(listener: events.Add), new CommitFault(Kind.LostAfter));
        DatabaseError error = (await ((Func<Task>)(() => AddAsync(shop, isAsync))).Should().ThrowAsync<DatabaseError>()).Which;
        error.Data[DatabaseResilience.OutcomeKey].Should().Be(DatabaseResilience.UnknownOutcome);
        (_attempts, _shops.CountOrders()).Should().Be((1, 1));
        events.OfType<RetryStopped>().Should().ContainSingle().Which.Detail.Should().Be("whether it was applied is not known");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task An_answer_that_all_was_rolled_back_is_repeated(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.Conflict, Kind.Conflict));
        await AddAsync(shop, isAsync);
        (_attempts, _shops.CountOrders()).Should().Be((3, 1));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_was_committed_after_all_is_the_result_and_not_done_again(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.LostAfter));
        long id = await AddAsync(shop, isAsync, verify: IsThere);
        (_attempts, _shops.CountOrders()).Should().Be((1, 1));
        using Shop looking = _shops.Open(Pipelines.Retrying());
        looking.Orders.Single().Id.Should().Be(id, "the result of the attempt that was committed");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_was_not_committed_is_repeated_when_the_caller_can_find_out(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.LostBefore));
        await AddAsync(shop, isAsync, verify: IsThere);
        (_attempts, _shops.CountOrders()).Should().Be((2, 1));
    }

    [Theory]
    [InlineData(true, Kind.LostAfter, 1)]
    [InlineData(false, Kind.LostAfter, 1)]
    [InlineData(true, Kind.LostBefore, 2)]
    [InlineData(false, Kind.LostBefore, 2)]
    public async Task A_question_that_cannot_be_asked_is_asked_again_before_anything_is_repeated(bool isAsync, Enum fault, int attempts)
    {
        int questions = 0;
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault((Kind)fault));
        await AddAsync(shop, isAsync, verify: db =>
        {
            if (++questions <= 2) throw DatabaseError.Lost();
            _attempts.Should().Be(1, "not before it is known");
            return IsThere(db);
        });
        (_attempts, _shops.CountOrders(), questions).Should().Be((attempts, 1, 3));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_COMMIT_that_was_still_under_way_when_it_was_looked_for_is_found_by_its_key(bool isAsync)
    {
        int questions = 0;
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.LostAfter));
        long id = await AddAsync(shop, isAsync, verify: db => ++questions > 1 && IsThere(db)); // the first look comes too early
        (_attempts, questions, _shops.CountOrders()).Should().Be((2, 2, 1), "the repeat ran into the key, and the question was asked once more");
        using Shop looking = _shops.Open(Pipelines.Retrying());
        looking.Orders.Single().Id.Should().Be(id);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_may_be_committed_twice_is_repeated(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.LostBefore));
        await AddAsync(shop, isAsync, isRepeatable: true);
        (_attempts, _shops.CountOrders()).Should().Be((2, 1));
        using Shop as_EF_does = _shops.Open(Pipelines.Retrying(repeatUnknownCommits: true), new CommitFault(Kind.LostBefore));
        await AddAsync(as_EF_does, isAsync, code: "b");
        (_attempts, _shops.CountOrders()).Should().Be((4, 2));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_repeat_after_an_unknown_outcome_that_fails_otherwise_still_tells_it(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(repeatUnknownCommits: true), new CommitFault(Kind.LostAfter));
        Func<Task> act = () => AddAsync(shop, isAsync); // its own row stands in the way
        DbUpdateException error = (await act.Should().ThrowAsync<DbUpdateException>()).Which;
        error.Data[DatabaseResilience.OutcomeKey].Should().Be(DatabaseResilience.UnknownOutcome);
        (_attempts, _shops.CountOrders()).Should().Be((2, 1));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task SaveChanges_itself_is_repeated_only_where_nothing_was_committed(bool isAsync)
    {
        using Shop conflicting = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.Conflict));
        conflicting.AddRange(new Order(), new Order());
        _ = isAsync ? await conflicting.SaveChangesAsync() : conflicting.SaveChanges();
        _shops.CountOrders().Should().Be(2);
        conflicting.ChangeTracker.HasChanges().Should().BeFalse();

        CommitFault lost = new(Kind.LostAfter);
        using Shop losing = _shops.Open(Pipelines.Retrying(), lost);
        losing.AddRange(new Order(), new Order());
        Func<Task> act = async () => _ = isAsync ? await losing.SaveChangesAsync() : losing.SaveChanges();
        (await act.Should().ThrowAsync<DatabaseError>()).Which.Data[DatabaseResilience.OutcomeKey].Should().Be(DatabaseResilience.UnknownOutcome);
        (lost.Commits, _shops.CountOrders()).Should().Be((1, 4));
        losing.ChangeTracker.HasChanges().Should().BeTrue("EF Core takes nothing for saved that may not be");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Before_a_repeat_the_context_forgets_what_the_attempt_has_put_into_it(bool isAsync)
    {
        using (Shop filled = _shops.Open(Pipelines.Retrying()))
        {
            filled.Add(new Account { Id = 1, Balance = 10 });
            filled.SaveChanges();
        }

        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.Conflict, Kind.Conflict));
        if (isAsync)
        {
            await shop.InTransactionAsync(async (db, token) =>
            {
                (await db.Accounts.FindAsync([1], token))!.Balance--;
                await db.SaveChangesAsync(token);
            });
        }
        else
        {
            shop.InTransaction(db =>
            {
                db.Accounts.Find(1)!.Balance--;
                db.SaveChanges();
            });
        }

        using Shop looking = _shops.Open(Pipelines.Retrying());
        looking.Accounts.Single().Balance.Should().Be(9, "read anew by each attempt, and taken from once");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Changes_from_before_the_transaction_would_be_lost_by_a_repeat_and_are_an_error(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        shop.Add(new Order());
        (await ((Func<Task>)(() => AddAsync(shop, isAsync))).Should().ThrowAsync<InvalidOperationException>())
            .WithMessage($"*outside of InTransaction{(isAsync ? "Async" : "")}*lose*");
        _attempts.Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Inside_of_another_it_runs_in_the_transaction_that_is_there(bool isAsync)
    {
        CommitFault commits = new(Kind.Conflict);
        using Shop shop = _shops.Open(Pipelines.Retrying(), commits);
        int outer = 0;
        if (isAsync) await shop.InTransactionAsync((db, _) => (++outer, AddAsync(db, isAsync)).Item2);
        else shop.InTransaction(db => (++outer, AddAsync(db, isAsync)).Item2.GetAwaiter().GetResult());
        (outer, _attempts, commits.Commits, _shops.CountOrders()).Should().Be((2, 2, 2, 1));
    }

    [Fact]
    public void A_context_without_resilience_is_an_error()
    {
        using Shop plain = new(new DbContextOptionsBuilder().UseSqlite("Data Source=:memory:").Options);
        ((Action)(() => plain.InTransaction(db => db.SaveChanges()))).Should().Throw<InvalidOperationException>().WithMessage("Shop has no resilience*");
        ((Action)(() => plain.Repeatable(db => db.SaveChanges()))).Should().Throw<InvalidOperationException>().WithMessage("Shop has no resilience*");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task EF_Cores_own_ExecuteInTransaction_asks_its_question_too(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(), new CommitFault(Kind.LostAfter));
        shop.Add(new Order { Code = "a" });
        IExecutionStrategy strategy = shop.Database.CreateExecutionStrategy();
        if (isAsync)
        {
            await strategy.ExecuteInTransactionAsync(
                shop,
                (db, token) => db.SaveChangesAsync(acceptAllChangesOnSuccess: false, token),
                (db, token) => db.Orders.AsNoTracking().AnyAsync(o => o.Code == "a", token));
        }
        else
        {
            strategy.ExecuteInTransaction(shop, db => db.SaveChanges(acceptAllChangesOnSuccess: false), IsThere);
        }

        _shops.CountOrders().Should().Be(1);
    }
}
