using Npgsql;
using Resilience.StoreTests.Servers;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>The laws, as PostgreSQL keeps them.</summary>
public sealed class PostgresLawTests(PostgresServer server) : StoreLaws, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private readonly NpgsqlDataSource _one = server.Connect(), _other = server.Connect();

    protected override IIdempotencyStore One => new PostgresIdempotencyStore(_one);

    protected override IIdempotencyStore Other => new PostgresIdempotencyStore(_other);

    public Task InitializeAsync() => new PostgresIdempotencyStore(_one).EnsureCreatedAsync();

    public async Task DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
    }
}

/// <summary>The same laws where the server's default is the strictest level: the loser of a race gets a result, not an exception.</summary>
public sealed class PostgresSerializableLawTests(PostgresServer server) : StoreLaws, IClassFixture<PostgresServer>, IAsyncLifetime
{
    private readonly NpgsqlDataSource _one = Connect(server), _other = Connect(server);

    protected override IIdempotencyStore One => new PostgresIdempotencyStore(_one);

    protected override IIdempotencyStore Other => new PostgresIdempotencyStore(_other);

    public Task InitializeAsync() => new PostgresIdempotencyStore(_one).EnsureCreatedAsync();

    public async Task DisposeAsync()
    {
        await _one.DisposeAsync();
        await _other.DisposeAsync();
    }

    private static NpgsqlDataSource Connect(PostgresServer server) =>
        NpgsqlDataSource.Create(server.ConnectionString + ";Options=-c default_transaction_isolation=serializable");
}
