using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Resilience.AspNetCore.Tests;

/// <summary>Idempotency in a container.</summary>
public sealed class RegistrationTests
{
    private static IdempotencyGate GateOf(Action<IIdempotencyBuilder>? configure = null, Action<IdempotencyOptions>? options = null)
    {
        ServiceCollection services = new();
        configure?.Invoke(services.AddIdempotency(options));
        if (configure is null) services.AddIdempotency(options);
        return services.BuildServiceProvider().GetRequiredService<IdempotencyGate>();
    }

    [Fact]
    public void Records_are_kept_in_memory_unless_a_store_is_named_and_the_last_one_counts()
    {
        GateOf().Store.Should().BeOfType<InMemoryIdempotencyStore>();
        GateOf(b => b.UseInMemory(o => o.MaxPayloadBytes = 7)).Store.Traits.MaxPayloadBytes.Should().Be(7);
        InMemoryIdempotencyStore mine = new();
        GateOf(b => b.UseInMemory(_ => { }).UseStore(_ => mine)).Store.Should().BeSameAs(mine);
    }

    [Fact]
    public void There_is_one_gate_and_its_options_are_those_that_were_set()
    {
        ServiceCollection services = new();
        services.AddIdempotency(o => o.Name = "orders");
        services.AddIdempotency(o => o.Retention = TimeSpan.FromDays(3));
        using ServiceProvider provider = services.BuildServiceProvider();

        provider.GetRequiredService<IdempotencyGate>().Should().BeSameAs(provider.GetRequiredService<IdempotencyGate>());
        provider.GetRequiredService<IdempotencyGate>().Name.Should().Be("orders");
        provider.GetRequiredService<IOptions<IdempotencyOptions>>().Value.Retention.Should().Be(TimeSpan.FromDays(3));
    }

    [Fact]
    public async Task Options_out_of_range_stop_the_host_at_its_start()
    {
        Func<Task> open = async () => await (await Shop.OpenAsync(_ => { }, o => o.Lease = TimeSpan.Zero)).DisposeAsync();

        (await open.Should().ThrowAsync<ResilienceOptionsException>()).Which.Problems.Should().ContainSingle(p => p.Option == "Lease");
    }

    [Fact]
    public async Task A_store_that_is_down_is_soon_not_asked_any_more()
    {
        FailingStore store = new();
        IdempotencyGate gate = GateOf(b => b.UseStore(_ => store), o => o.AcquireTimeout = TimeSpan.FromMilliseconds(20));
        gate.Store.Should().BeOfType<GuardedIdempotencyStore>();

        for (int i = 0; i < 200; i++)
            (await gate.EnterAsync(IdempotencyKey.Shared($"{i}").ToId(), default)).Answer.Should().Be(IdempotencyAnswer.StoreUnavailable);

        store.Asked.Should().BeInRange(20, 100, "an open circuit asks no more");
    }

    [Fact]
    public async Task What_a_store_holds_opens_no_circuit()
    {
        FailingStore store = new() { Fault = IdempotencyStoreFault.Corrupt };
        IdempotencyGate gate = GateOf(b => b.UseStore(_ => store));

        for (int i = 0; i < 100; i++) (await gate.EnterAsync(IdempotencyKey.Shared($"{i}").ToId(), default)).Answer.Should().Be(IdempotencyAnswer.Unreadable);

        store.Asked.Should().Be(100);
    }

    private sealed class FailingStore : IIdempotencyStore
    {
        internal int Asked;

        internal IdempotencyStoreFault Fault { get; init; }

        public IdempotencyStoreTraits Traits { get; } = new() { Name = "failing" };

        private ValueTask<T> Fail<T>()
        {
            Interlocked.Increment(ref Asked);
            return ValueTask.FromException<T>(new IdempotencyStoreException(Fault, "planned"));
        }

        public ValueTask<AcquireAnswer> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) => Fail<AcquireAnswer>();

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyEnding ending, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<PeekAnswer> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => Fail<PeekAnswer>();

        public ValueTask<int> PurgeAsync(int most, CancellationToken cancellationToken = default) => Fail<int>();
    }
}
