using Resilience.EntityFrameworkCore.Tests.Support;
using Resilience.StoreTests;
using Resilience.StoreTests.Servers;
using Resilience.Testing;
using Resilience.Tests.Support;

namespace Resilience.EntityFrameworkCore.Tests.Idempotency;

/// <summary>The laws of stores: by EF Core on SQLite and on a real PostgreSQL, with the statements for each and with those for any database.</summary>
public abstract class StoreContractTests(string kind, bool isPortable, PostgresServer? server) : StoreLaws, IAsyncLifetime
{
    private RecordDatabase? _database;
    private Subject? _subject;

    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    protected override IIdempotencyStore One => _subject!.Make();

    protected override IIdempotencyStore Other => _subject!.Make();

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_the_database_of_a_context_keeps(IdempotencyStoreLaw law) => law.CheckAsync(_subject!);

    public async Task InitializeAsync()
    {
        if (server is not null && Requirements.AreMissingFor(typeof(PostgresServer))) return;
        _database = await RecordDatabase.OpenAsync(kind, server);
        _subject = new(_database, isPortable);
    }

    public async Task DisposeAsync()
    {
        if (_database is not null) await _database.DisposeAsync();
    }

    private sealed class Subject(RecordDatabase database, bool isPortable) : IdempotencyStoreSubject
    {
        internal EntityFrameworkIdempotencyStore Make() => isPortable ? database.PortableStore() : database.Store();

        public override ValueTask<IIdempotencyStore> OpenAsync() => new(Make());

        public override async ValueTask<bool> TryCorruptAsync(IdempotencyId id)
        {
            string key = database.IsSqlite ? $"x'{id.ToHex()}'" : $"'\\x{id.ToHex()}'";
            await database.AskAsync($"""UPDATE "ResilienceIdempotency" SET "Format" = 2 WHERE "Id" = {key}""");
            return true;
        }
    }
}

public sealed class SqliteStoreTests() : StoreContractTests(RecordDatabase.Sqlite, isPortable: false, null);

public sealed class PortableSqliteStoreTests() : StoreContractTests(RecordDatabase.Sqlite, isPortable: true, null);

[Requires(Tool.PostgreSql)]
public sealed class PostgreSqlStoreTests(PostgresServer server)
    : StoreContractTests(RecordDatabase.PostgreSql, isPortable: false, server), IClassFixture<PostgresServer>;

[Requires(Tool.PostgreSql)]
public sealed class PortablePostgreSqlStoreTests(PostgresServer server)
    : StoreContractTests(RecordDatabase.PostgreSql, isPortable: true, server), IClassFixture<PostgresServer>;
