using System.Data.Common;
using System.Transactions;
using Microsoft.EntityFrameworkCore.Storage;
using Resilience.EntityFrameworkCore.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests;

/// <summary>What EF Core asks of an execution strategy: nesting, transactions of the caller, who is current, results. Synchronous and not.</summary>
public sealed class StrategyTests : IDisposable
{
    private readonly SqliteShop _shops = new();

    public static TheoryData<bool> BothWays => [true, false];

    public void Dispose() => _shops.Dispose();

    private static async Task<TResult> RunAsync<TResult>(
        Shop shop, bool isAsync, Func<TResult> operation, Func<ExecutionResult<TResult>>? verify = null, CancellationToken cancellationToken = default)
    {
        IExecutionStrategy strategy = shop.Database.CreateExecutionStrategy();
        if (!isAsync) return strategy.Execute(0, (_, _) => operation(), verify is null ? null : (_, _) => verify());
        return await strategy.ExecuteAsync(
            0,
            async (_, _, _) =>
            {
                await Task.Yield();
                return operation();
            },
            verify is null ? null : async (_, _, _) =>
            {
                await Task.Yield();
                return verify();
            },
            cancellationToken);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_fails_and_may_pass_is_repeated_until_it_succeeds(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        int result = await RunAsync(shop, isAsync, () => ++calls < 4 ? throw DatabaseError.Lost() : calls);
        result.Should().Be(4);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task When_retries_are_used_up_the_caller_gets_the_last_exception_itself(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        List<Exception> thrown = [];
        Func<Task> act = () => RunAsync<int>(shop, isAsync, () =>
        {
            thrown.Add(DatabaseError.Lost());
            throw thrown[^1];
        });
        (await act.Should().ThrowAsync<DatabaseError>()).Which.Should().BeSameAs(thrown[^1]);
        thrown.Should().HaveCount(4);
    }

    [Theory]
    [InlineData(true, "23505")]
    [InlineData(false, "23505")]
    [InlineData(true, "42P01")]
    [InlineData(true, "22012")]
    public async Task What_the_request_has_wrong_is_not_repeated(bool isAsync, string state)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        await ((Func<Task>)(() => RunAsync<int>(shop, isAsync, () =>
        {
            calls++;
            throw new DbUpdateException("", new DatabaseError(state));
        }))).Should().ThrowAsync<DbUpdateException>();
        calls.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_conflict_of_concurrent_changes_is_not_repeated(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        await ((Func<Task>)(() => RunAsync<int>(shop, isAsync, () =>
        {
            calls++;
            throw new DbUpdateConcurrencyException("", DatabaseError.Lost());
        }))).Should().ThrowAsync<DbUpdateConcurrencyException>();
        calls.Should().Be(1);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_strategy_inside_of_another_runs_its_operation_directly(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int outer = 0, inner = 0;
        Func<Task> act = () => RunAsync(shop, isAsync, () =>
        {
            outer++;
            return RunAsync<int>(shop, isAsync: false, () =>
            {
                inner++;
                throw DatabaseError.Lost();
            }).GetAwaiter().GetResult();
        });
        await act.Should().ThrowAsync<DatabaseError>();
        (outer, inner).Should().Be((4, 4), "one of them repeats, not both: sixteen calls otherwise");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task The_strategy_is_current_for_the_operation_alone(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        List<bool> isCurrent = [], retries = [];
        ExecutionStrategy.Current.Should().BeNull();
        await RunAsync(shop, isAsync, () =>
        {
            isCurrent.Add(ExecutionStrategy.Current is ResilienceExecutionStrategy);
            retries.Add(shop.Database.CreateExecutionStrategy().RetriesOnFailure);
            return isCurrent.Count == 2 ? 1 : throw DatabaseError.Lost();
        });
        ExecutionStrategy.Current.Should().BeNull();
        OperationNotes.Current.Should().BeNull();
        isCurrent.Should().Equal(true, true);
        retries.Should().Equal([false, false], "a strategy inside of it does not repeat");
        shop.Database.CreateExecutionStrategy().RetriesOnFailure.Should().BeTrue();
    }

    [Fact]
    public async Task Strategies_of_two_flows_do_not_know_of_each_other()
    {
        using Shop one = _shops.Open(Pipelines.Retrying()), other = _shops.Open(Pipelines.Retrying());
        TaskCompletionSource isInside = new(), mayEnd = new();
        Task<bool> first = one.Database.CreateExecutionStrategy().ExecuteAsync(async () =>
        {
            isInside.SetResult();
            await mayEnd.Task;
            return true;
        });
        await isInside.Task;
        ExecutionStrategy.Current.Should().BeNull();
        int calls = 0;
        (await RunAsync(other, isAsync: true, () => ++calls < 2 ? throw DatabaseError.Lost() : calls)).Should().Be(2);
        mayEnd.SetResult();
        (await first).Should().BeTrue();
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_transaction_that_the_caller_began_is_an_error_that_says_what_to_do(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        using IDbContextTransaction transaction = shop.Database.BeginTransaction();
        int calls = 0;
        Func<Task> act = () => RunAsync(shop, isAsync, () => ++calls);
        (await act.Should().ThrowAsync<InvalidOperationException>())
            .WithMessage("*ResilienceExecutionStrategy*user-initiated transactions*CreateExecutionStrategy*");
        Func<Task> query = () => shop.Orders.ToListAsync();
        await query.Should().ThrowAsync<InvalidOperationException>();
        calls.Should().Be(0);
    }

    [Fact]
    public async Task Without_retries_the_caller_may_begin_transactions()
    {
        using Shop shop = _shops.Open(Pipelines.Retrying(maxRetries: 0));
        using IDbContextTransaction transaction = await shop.Database.BeginTransactionAsync();
        shop.Add(new Order());
        await shop.SaveChangesAsync();
        (await shop.Orders.CountAsync()).Should().Be(1);
        await transaction.RollbackAsync();
        _shops.CountOrders().Should().Be(0);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Inside_the_operation_transactions_are_begun_and_committed(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        await RunAsync(shop, isAsync, () =>
        {
            using Shop own = _shops.Open(Pipelines.Retrying());
            using IDbContextTransaction transaction = own.Database.BeginTransaction();
            own.Add(new Order());
            own.SaveChanges();
            if (++calls == 1) throw DatabaseError.Lost();
            transaction.Commit();
            return calls;
        });
        (calls, _shops.CountOrders()).Should().Be((2, 1), "what was not committed was rolled back, and repeated");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task What_was_committed_before_the_rest_failed_is_not_done_again(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        Func<Task> act = () => RunAsync<int>(shop, isAsync, () =>
        {
            calls++;
            using Shop own = _shops.Open(Pipelines.Retrying());
            own.Add(new Order());
            own.SaveChanges();
            throw new DatabaseError(DatabaseError.Deadlock);
        });
        DatabaseError error = (await act.Should().ThrowAsync<DatabaseError>()).Which;
        (calls, _shops.CountOrders()).Should().Be((1, 1));
        error.Data[DatabaseResilience.OutcomeKey].Should().Be(DatabaseResilience.PartlyApplied);
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_transaction_whose_COMMIT_is_not_seen_counts_as_committed(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        int calls = 0;
        Func<Task> act = () => RunAsync<int>(shop, isAsync, () =>
        {
            calls++;
            using Shop own = _shops.Open(Pipelines.Retrying());
            using DbTransaction ofDriver = own.Database.GetDbConnection().BeginTransaction();
            own.Database.UseTransaction(ofDriver);
            own.Add(new Order());
            own.SaveChanges();
            ofDriver.Commit(); // of the driver: EF Core does not hear of it
            throw DatabaseError.Lost();
        });
        await act.Should().ThrowAsync<DatabaseError>();
        (calls, _shops.CountOrders()).Should().Be((1, 1));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Code_under_an_ambient_transaction_is_an_error(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        shop.Add(new Order());
        using TransactionScope scope = new(TransactionScopeAsyncFlowOption.Enabled);
        Func<Task> act = async () => _ = isAsync ? await shop.SaveChangesAsync() : shop.SaveChanges();
        await act.Should().ThrowAsync<InvalidOperationException>().WithMessage("*user-initiated transactions*");
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_context_that_takes_lost_changes_for_saved_is_not_asked_again(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        shop.Add(new Order());
        int calls = 0;
        Func<Task> act = () => RunAsync(shop, isAsync, () =>
        {
            calls++;
            using IDbContextTransaction transaction = shop.Database.BeginTransaction();
            shop.SaveChanges(); // takes the order for saved, so a second attempt would commit nothing, and report success
            return calls == 1 ? throw new DatabaseError(DatabaseError.Deadlock) : calls;
        });
        await act.Should().ThrowAsync<DatabaseError>();
        (calls, _shops.CountOrders()).Should().Be((1, 0));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task A_context_whose_changes_the_caller_accepts_by_himself_is_asked_again(bool isAsync)
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        shop.Add(new Order());
        int calls = 0;
        await RunAsync(shop, isAsync, () =>
        {
            using IDbContextTransaction transaction = shop.Database.BeginTransaction();
            shop.SaveChanges(acceptAllChangesOnSuccess: false);
            if (++calls == 1) throw new DatabaseError(DatabaseError.Deadlock);
            transaction.Commit();
            return calls;
        });
        (calls, _shops.CountOrders()).Should().Be((2, 1));
    }

    [Theory]
    [MemberData(nameof(BothWays))]
    public async Task Queries_are_read_into_memory_where_they_may_be_repeated(bool isAsync)
    {
        using (Shop filled = _shops.Open(Pipelines.Retrying()))
        {
            filled.AddRange(new Order(), new Order());
            filled.SaveChanges();
        }

        (await ReadersOfAsync(Pipelines.Retrying(), isAsync)).Should().OnlyContain(type => type.Contains("Buffered", StringComparison.Ordinal));
        (await ReadersOfAsync(Pipelines.Retrying(maxRetries: 0), isAsync)).Should().NotContain(type => type.Contains("Buffered", StringComparison.Ordinal));
    }

    private async Task<List<string>> ReadersOfAsync(DatabaseResilience resilience, bool isAsync)
    {
        ReaderWatch watch = new();
        using Shop shop = _shops.Open(resilience, watch);
        int count = isAsync ? (await shop.Orders.ToListAsync()).Count : shop.Orders.ToList().Count;
        count.Should().Be(2);
        return watch.Readers;
    }

    [Fact]
    public async Task What_fails_after_the_caller_has_left_is_not_repeated()
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        using CancellationTokenSource leaving = new();
        int calls = 0;
        Func<Task> act = () => RunAsync<int>(
            shop,
            isAsync: true,
            () =>
            {
                calls++;
                leaving.Cancel();
                throw DatabaseError.Lost();
            },
            cancellationToken: leaving.Token);
        await act.Should().ThrowAsync<DatabaseError>();
        calls.Should().Be(1);
    }

    [Fact]
    public void The_classifier_answers_for_those_who_ask_the_strategy()
    {
        using Shop shop = _shops.Open(Pipelines.Retrying());
        ResilienceExecutionStrategy strategy = (ResilienceExecutionStrategy)shop.Database.CreateExecutionStrategy();
        Asked(strategy, DatabaseError.Lost()).Should().BeTrue();
        Asked(strategy, new DatabaseError(DatabaseError.Deadlock)).Should().BeTrue();
        Asked(strategy, new DatabaseError(DatabaseError.UniqueViolation)).Should().BeFalse();
        Asked(strategy, new RetryLimitExceededException("", DatabaseError.Lost())).Should().BeFalse();

        static bool Asked(ResilienceExecutionStrategy strategy, Exception error) => (bool)typeof(ExecutionStrategy)
            .GetMethod("ShouldRetryOn", System.Reflection.BindingFlags.Instance | System.Reflection.BindingFlags.NonPublic)!.Invoke(strategy, [error])!;
    }

    [Fact]
    public void A_second_strategy_is_an_error_wherever_it_is_configured()
    {
        DatabaseResilience resilience = Pipelines.Retrying();
        Action before = () => new DbContextOptionsBuilder()
            .UseSqlite("Data Source=:memory:", o => o.ExecutionStrategy(d => new NonRetryingExecutionStrategy(d))).UseResilience(resilience);
        before.Should().Throw<InvalidOperationException>().WithMessage("*two retries multiply*");

        Action twice = () => new DbContextOptionsBuilder().UseSqlite("Data Source=:memory:").UseResilience(resilience).UseResilience(resilience);
        twice.Should().Throw<InvalidOperationException>().WithMessage("*two retries multiply*");

        DbContextOptions late = new DbContextOptionsBuilder().UseSqlite("Data Source=:memory:").UseResilience(resilience)
            .UseSqlite("Data Source=:memory:", o => o.ExecutionStrategy(d => new NonRetryingExecutionStrategy(d))).Options;
        Action after = () =>
        {
            using Shop shop = new(late);
            _ = shop.Orders.ToList();
        };
        after.Should().Throw<InvalidOperationException>().WithMessage("*two retries multiply*");
    }

    [Fact]
    public void Without_a_provider_of_a_relational_database_it_says_what_comes_first() =>
        ((Action)(() => new DbContextOptionsBuilder().UseResilience(Pipelines.Retrying())))
        .Should().Throw<InvalidOperationException>().WithMessage("*after the provider*");

    [Fact]
    public void A_pipeline_that_runs_attempts_beside_each_other_is_an_error()
    {
        DatabaseResilience hedged = new("hedged", builder => builder.AddHedging(h => h.MaxAttempts = 2));
        ((Action)(() => hedged.For("server", "database"))).Should().Throw<InvalidOperationException>().WithMessage("*hedges*one DbContext*");
        DatabaseResilience abandoning = new("abandoning", builder => builder.AddTimeout(new TimeoutOptions { AbandonAfter = TimeSpan.FromSeconds(1) }));
        ((Action)(() => abandoning.For("server", "database"))).Should().Throw<InvalidOperationException>().WithMessage("*abandons*one DbContext*");
    }

    [Fact]
    public void Each_server_and_database_has_a_pipeline_of_its_own_with_the_standard_policies()
    {
        DatabaseResilience resilience = new("shop-db");
        ResiliencePipeline one = resilience.For("tcp://a:5432", "shop");
        resilience.For("tcp://a:5432", "shop").Should().BeSameAs(one);
        resilience.For("tcp://a:5432", "other").Should().NotBeSameAs(one);
        resilience.For("tcp://b:5432", "shop").Should().NotBeSameAs(one);
        one.Name.Should().Be("shop-db tcp://a:5432/shop");
        one.Warnings.Should().BeEmpty();
        one.Describe().Policies.Select(p => p.Role).Should().Equal(PolicyRole.Timeout, PolicyRole.Retry, PolicyRole.CircuitBreaker);
        one.Describe().Policies[0].Timeout.Should().Be(TimeSpan.FromSeconds(60));
        one.Describe().Policies[1].MaxAttempts.Should().Be(4);
        resilience.Pipelines.Should().HaveCount(3);
    }

    [Fact]
    public void The_pipelines_of_ever_more_databases_are_bounded()
    {
        DatabaseResilience resilience = new("tenants");
        for (int i = 0; i < 1100; i++) resilience.For("server", $"tenant{i}");
        resilience.Pipelines.Count.Should().BeLessThanOrEqualTo(1001);
    }
}
