using Npgsql;
using Resilience.StoreTests.Servers;
using Resilience.Testing;

namespace Resilience.StoreTests.PostgreSql;

/// <summary>A real server, with a pool of its own for each client.</summary>
public sealed class PostgresContractTests(PostgresServer server) : IClassFixture<PostgresServer>, IAsyncLifetime
{
    private readonly Subject _subject = new(server);

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_postgresql_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _subject.DisposeAsync();

    private sealed class Subject(PostgresServer server) : IdempotencyStoreSubject
    {
        private readonly List<NpgsqlDataSource> _sources = [];

        public override async ValueTask<IIdempotencyStore> OpenAsync()
        {
            NpgsqlDataSource source = NpgsqlDataSource.Create(server.ConnectionString + ";Maximum Pool Size=8;Timeout=20");
            lock (_sources) _sources.Add(source);
            PostgresIdempotencyStore store = new(source);
            await store.EnsureCreatedAsync();
            return store;
        }

        public override async ValueTask<bool> TryCorruptAsync(IdempotencyId id)
        {
            await server.ExecuteAsync("ALTER TABLE resilience_idempotency DROP CONSTRAINT IF EXISTS resilience_idempotency_fingerprint_check");
            await server.ExecuteAsync($"UPDATE resilience_idempotency SET fingerprint = 'cut' WHERE id = '\\x{id.ToHex()}'");
            return true;
        }

        public override async ValueTask DisposeAsync()
        {
            foreach (NpgsqlDataSource source in _sources) await source.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}
