using Resilience.Testing;
using Resilience.Tests;

namespace Resilience.Idempotency.Tests.Contract;

/// <summary>The reference implementation keeps every law, on a clock that is moved by hand.</summary>
public sealed class InMemoryContractTests
{
    public static TheoryData<IdempotencyStoreLaw> Laws => [.. IdempotencyStoreContract.Laws];

    [Theory]
    [MemberData(nameof(Laws))]
    public Task The_store_in_memory_keeps(IdempotencyStoreLaw law) => law.CheckAsync(new Subject());

    [Fact]
    public void Every_law_has_a_name_of_its_own() =>
        IdempotencyStoreContract.Laws.Select(l => l.Name).Should().OnlyHaveUniqueItems().And.HaveCountGreaterThan(50);

    private sealed class Subject : IdempotencyStoreSubject
    {
        private readonly ManualTime _time = new();
        private readonly InMemoryIdempotencyStore _store;

        public Subject() => _store = new(timeProvider: _time);

        public override ValueTask<IIdempotencyStore> OpenAsync() => new(_store);

        public override Task PassAsync(TimeSpan span)
        {
            _time.Advance(span);
            return Task.CompletedTask;
        }
    }
}
