namespace Resilience.Idempotency.Tests.Stores;

public sealed class InMemoryHostileRecordTests : HostileRecordTests
{
    protected override IIdempotencyStore Store { get; } = new InMemoryIdempotencyStore();
}

public sealed class SqliteHostileRecordTests : HostileRecordTests, IAsyncLifetime
{
    private readonly SqliteSubject _subject = new();
    private IIdempotencyStore? _store;

    protected override IIdempotencyStore Store => _store!;

    public async Task InitializeAsync() => _store = await _subject.OpenAsync();

    public async Task DisposeAsync() => await _subject.DisposeAsync();
}
