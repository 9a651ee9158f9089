using Microsoft.EntityFrameworkCore.Diagnostics;
using Npgsql;
using Resilience.StoreTests.Servers;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>A real PostgreSQL with the tables of the shop, and a proxy before it.</summary>
[Requires(Tool.PostgreSql)]
public sealed class PostgresDatabase : IAsyncLifetime
{
    private readonly PostgresServer _server = new("deadlock_timeout=20ms");
    private CuttingProxy? _proxy;

    internal CuttingProxy Proxy => _proxy!;

    public async Task InitializeAsync()
    {
        if (Requirements.AreMissingFor(typeof(PostgresDatabase))) return;
        await _server.InitializeAsync();
        _proxy = new(_server.Port);
        await using Shop shop = new(new DbContextOptionsBuilder().UseNpgsql(_server.ConnectionString).Options);
        await shop.Database.EnsureCreatedAsync();
    }

    public async Task DisposeAsync()
    {
        if (_proxy is null) return;
        await _proxy.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await _server.DisposeAsync();
    }

    internal Shop Open(DatabaseResilience resilience, params IInterceptor[] interceptors) => Open(resilience, _server.Port, interceptors);

    internal Shop OpenByProxy(DatabaseResilience resilience, params IInterceptor[] interceptors) => Open(resilience, Proxy.Port, interceptors);

    internal string ConnectionString => _server.ConnectionString;

    internal string ConnectionStringByProxy => _server.ConnectionStringAt(Proxy.Port);

    internal Task<object?> AskAsync(string sql) => _server.AskAsync(sql);

    internal Task ExecuteAsync(string sql) => _server.ExecuteAsync(sql);

    /// <summary>How many rows each operation has written, when nothing that was sent is under way any more.</summary>
    internal async Task<Dictionary<Guid, int>> CountRowsAsync()
    {
        const string Busy = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'";
        using CancellationTokenSource patience = new(TimeSpan.FromMinutes(1));
        while ((long)(await AskAsync(Busy))! > 0) patience.Token.ThrowIfCancellationRequested();
        await using NpgsqlConnection connection = new(_server.ConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using NpgsqlCommand command = new("SELECT operation, count(*) FROM orders GROUP BY operation", connection);
        await using NpgsqlDataReader reader = await command.ExecuteReaderAsync();
        Dictionary<Guid, int> rows = [];
        while (await reader.ReadAsync()) rows[reader.GetGuid(0)] = (int)reader.GetInt64(1);
        return rows;
    }

    private Shop Open(DatabaseResilience resilience, int port, IInterceptor[] interceptors) => new(
        new DbContextOptionsBuilder().UseNpgsql(_server.ConnectionStringAt(port)).UseResilience(resilience).AddInterceptors(interceptors).Options);
}
