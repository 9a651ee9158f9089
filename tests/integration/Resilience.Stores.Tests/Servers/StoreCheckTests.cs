using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Resilience.Idempotency.Tests;
using Resilience.Tests;

namespace Resilience.StoreTests.Servers;

/// <summary>What is wrong with a store is told at the start and by the health check, and a mistake apart from an outage.</summary>
public sealed class StoreCheckTests(PostgresServer postgres, RedisServer redis) : IClassFixture<PostgresServer>, IClassFixture<RedisServer>, IAsyncLifetime
{
    private readonly Lines _log = new();
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"store-check-{Guid.NewGuid():N}.db");

    /// <summary>How a store can be wrong, what it is then, and a word that tells it.</summary>
    public static TheoryData<string, bool, string> Wrong => new()
    {
        { "postgresql without its table", true, "42P01" },
        { "postgresql with a wrong database", true, "nothing_here" },
        { "postgresql without the right to write", true, "42501" },
        { "postgresql that is down", false, "PostgreSQL" },
        { "redis without the right to run scripts", true, "NOPERM" },
        { "redis that is down", false, "Redis at 127.0.0.1:1" },
        { "sqlite in a folder that is not there", true, "SQLite" },
        { "a store that throws", false, "broken" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task A_mistake_stops_the_start_and_an_outage_is_logged_and_both_are_in_the_health_check(string what, bool isMistake, string told)
    {
        await using ServiceProvider services = await BuildAsync(what, mustAnswer: false, isMistake ? null : new InstantTime { MaxWait = TimeSpan.FromMilliseconds(600) });

        Func<Task> start = () => StartAsync(services);
        if (isMistake) (await start.Should().ThrowAsync<IdempotencyStoreException>()).Which.Should().Match<IdempotencyStoreException>(e => e.Fault == IdempotencyStoreFault.Misconfigured && e.Message.Contains(told));
        else
        {
            await start.Should().NotThrowAsync();
            _log.All.Should().ContainSingle(l => l.Id.Name == "IdempotencyStoreUnavailableAtStart").Which.Error.Should().BeOfType<IdempotencyStoreException>().Which.Message.Should().Contain(told);
        }

        HealthReportEntry health = await LookAsync(services);
        if (what is "postgresql without the right to write" or "redis without the right to run scripts") return; // reading works, or works in another way
        health.Status.Should().Be(isMistake ? HealthStatus.Unhealthy : HealthStatus.Degraded);
        health.Data["idempotency"].Should().BeOfType<string>().Which.Should().StartWith(isMistake ? "not set up as it must be: " : "not available: ").And.Contain(told);
        health.Exception.Should().BeOfType<IdempotencyStoreException>();
    }

    [Theory]
    [InlineData("postgresql")]
    [InlineData("redis")]
    [InlineData("sqlite")]
    [InlineData("memory")]
    public async Task A_store_that_works_starts_and_is_healthy_and_nothing_stays_in_it(string what)
    {
        await using ServiceProvider services = await BuildAsync(what, mustAnswer: true);

        await StartAsync(services);

        (await LookAsync(services)).Status.Should().Be(HealthStatus.Healthy);
        _log.All.Where(l => l.Level >= LogLevel.Error).Should().BeEmpty();
        if (what == "postgresql") (await postgres.AskAsync("SELECT count(*) FROM checked WHERE state <> 3")).Should().Be(0L);
        if (what == "redis") _log.All.Should().Contain(l => l.Id.Name == "IdempotencyStoreFinding" && l.Text.Contains("append-only"), "this server keeps nothing on a disk");
    }

    [Fact]
    public async Task Where_the_store_must_answer_an_outage_is_waited_for_and_ends_the_start()
    {
        int asked = 0;
        ServiceCollection services = Services();
        services.AddSingleton<TimeProvider>(new InstantTime { MaxWait = TimeSpan.FromMilliseconds(600) });
        services.AddIdempotency().UseStore(_ => new UnrulyStore(new InMemoryIdempotencyStore())
        {
            Before = _ => ++asked < 3 ? UnrulyStore.Broken : Task.CompletedTask,
        }).GuardStore(_ => { }).CheckStoreAtStart(mustAnswer: true);
        await using ServiceProvider comesBack = services.BuildServiceProvider();
        await StartAsync(comesBack);
        asked.Should().BeGreaterThanOrEqualTo(3);

        ServiceCollection others = Services();
        others.AddSingleton<TimeProvider>(new InstantTime { MaxWait = TimeSpan.FromMilliseconds(600) });
        others.AddIdempotency().UseStore(_ => new UnrulyStore(new InMemoryIdempotencyStore()) { Before = _ => UnrulyStore.Broken }).CheckStoreAtStart(mustAnswer: true);
        others.AddIdempotency("orders").UseStore(_ => new UnrulyStore(new InMemoryIdempotencyStore()) { Before = _ => UnrulyStore.Broken }).CheckStoreAtStart(mustAnswer: true);
        await using ServiceProvider staysAway = others.BuildServiceProvider();
        (await FluentActions.Invoking(() => StartAsync(staysAway)).Should().ThrowAsync<IdempotencyStoreException>())
            .Which.Message.Should().Contain("idempotency: ").And.Contain("idempotency 'orders': ", "all gates are told in one message");
    }

    [Fact]
    public async Task A_store_that_is_not_to_be_checked_is_not_touched_at_the_start()
    {
        UnrulyStore store = new(new InMemoryIdempotencyStore());
        ServiceCollection services = Services();
        services.AddIdempotency().UseStore(_ => store);
        await using ServiceProvider provider = services.BuildServiceProvider();

        await StartAsync(provider);

        provider.GetRequiredService<IdempotencyGates>().Made.Should().BeEmpty();
        store.Asked.Should().BeEmpty();
    }

    private static Task StartAsync(IServiceProvider services) =>
        services.GetServices<IHostedService>().OfType<IHostedLifecycleService>().Single().StartingAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));

    private static async Task<HealthReportEntry> LookAsync(IServiceProvider services) =>
        (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["idempotency"];

    private ServiceCollection Services()
    {
        ServiceCollection services = [];
        services.AddLogging(l => l.AddProvider(_log));
        services.AddHealthChecks().AddIdempotencyStores();
        return services;
    }

    private async Task<ServiceProvider> BuildAsync(string what, bool mustAnswer, TimeProvider? time = null)
    {
        ServiceCollection services = Services();
        if (time is not null) services.AddSingleton(time);
        IIdempotencyBuilder gate = services.AddIdempotency(o =>
        {
            if (mustAnswer) o.AcquireTimeout = TimeSpan.FromSeconds(30); // the machine may be busy
        });
        string writer = postgres.ConnectionString, closed = "127.0.0.1:1,connectTimeout=200,connectRetry=1,asyncTimeout=1000";
        _ = what switch
        {
            "postgresql without its table" => gate.UsePostgreSql(writer, o => o.Table = "not_created"),
            "postgresql with a wrong database" => gate.UsePostgreSql(new NpgsqlConnectionStringBuilder(writer) { Database = "nothing_here" }.ConnectionString),
            "postgresql without the right to write" => gate.UsePostgreSql(new NpgsqlConnectionStringBuilder(writer) { Username = "reader" }.ConnectionString, o => o.Table = "checked"),
            "postgresql that is down" => gate.UsePostgreSql("Host=127.0.0.1;Port=1;Username=postgres"),
            "postgresql" => gate.UsePostgreSql(writer, o => o.Table = "checked"),
            "redis without the right to run scripts" => gate.UseRedis($"127.0.0.1:{redis.Port},user=limited,password=right"),
            "redis that is down" => gate.UseRedis(closed),
            "redis" => gate.UseRedis($"127.0.0.1:{redis.Port}"),
            "sqlite in a folder that is not there" => gate.UseSqlite($"Data Source={Path.Combine(_file, "no", "folder.db")}"),
            "sqlite" => gate.UseSqlite($"Data Source={_file}"),
            "memory" => gate.UseInMemory(_ => { }),
            _ => gate.UseStore(_ => new UnrulyStore(new InMemoryIdempotencyStore()) { Before = _ => Task.FromException(new InvalidDataException("broken")) }),
        };
        gate.CheckStoreAtStart(mustAnswer);
        if (what is "postgresql" or "postgresql without the right to write")
        {
            await using NpgsqlDataSource source = postgres.Connect();
            await new PostgresIdempotencyStore(source, new() { Table = "checked" }).EnsureCreatedAsync();
        }

        if (what == "postgresql without the right to write") await postgres.ExecuteAsync("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN");
        if (what.StartsWith("redis with", StringComparison.Ordinal))
        {
            await using StackExchange.Redis.ConnectionMultiplexer connection = await redis.ConnectAsync();
            await connection.GetServers().Single().ExecuteAsync("ACL", "SETUSER", "limited", "on", ">right", "~*", "+@all", "-@scripting");
        }

        return services.BuildServiceProvider();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync()
    {
        foreach (string file in Directory.GetFiles(Path.GetTempPath(), Path.GetFileName(_file) + "*")) File.Delete(file);
        return Task.CompletedTask;
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        internal System.Collections.Concurrent.ConcurrentQueue<(EventId Id, LogLevel Level, string Text, Exception? Error)> All { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Enqueue((eventId, logLevel, formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }
}
