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
    public void Records_are_kept_in_memory_unless_a_store_is_named_or_registered()
    {
        GateOf().Store.Should().BeOfType<InMemoryIdempotencyStore>();
        GateOf(b => b.UseInMemory(o => o.MaxPayloadBytes = 7)).Store.Traits.MaxPayloadBytes.Should().Be(7);
        InMemoryIdempotencyStore mine = new();
        GateOf(b => b.UseStore(_ => mine)).Store.Should().BeSameAs(mine);
        GateOf(b => b.Services.AddSingleton<IIdempotencyStore>(mine)).Store.Should().BeSameAs(mine);
    }

    [Fact]
    public void A_gate_without_a_name_and_gates_with_names_are_apart_and_each_has_its_options_and_its_store()
    {
        ServiceCollection services = new();
        services.AddIdempotency(o => o.Retention = TimeSpan.FromDays(30));
        services.AddIdempotency("orders", o => o.Retention = TimeSpan.FromHours(1)).UseInMemory(o => o.MaxPayloadBytes = 7);
        services.AddIdempotency("mails", o => o.Name = "post");
        using ServiceProvider provider = services.BuildServiceProvider();
        IdempotencyGates gates = provider.GetRequiredService<IdempotencyGates>();
        gates.Made.Should().BeEmpty();

        IdempotencyGate plain = provider.GetRequiredService<IdempotencyGate>(), orders = provider.GetRequiredKeyedService<IdempotencyGate>("orders");

        gates.Get("").Should().BeSameAs(plain);
        gates.Get("orders").Should().BeSameAs(orders).And.NotBeSameAs(plain);
        gates.Names.Should().Equal("", "orders", "mails");
        gates.Made.Should().Equal(plain, orders);
        (plain.Name, orders.Name, gates.Get("mails").Name).Should().Be(("idempotency", "orders", "post"));
        IOptionsMonitor<IdempotencyOptions> options = provider.GetRequiredService<IOptionsMonitor<IdempotencyOptions>>();
        (options.Get("").Retention, options.Get("orders").Retention)
            .Should().Be((TimeSpan.FromDays(30), TimeSpan.FromHours(1)), "one registration does not change another");
        orders.Store.Traits.MaxPayloadBytes.Should().Be(7);
        plain.Store.Should().NotBeSameAs(orders.Store);
        FluentActions.Invoking(() => gates.Get("nothing")).Should().Throw<InvalidOperationException>().WithMessage("*'nothing'*'orders'*");
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
            (await gate.EnterAsync(IdempotencyKey.Shared($"{i}").ToId(), default)).Status.Should().Be(IdempotencyStatus.StoreUnavailable);

        store.Asked.Should().BeInRange(10, 100, "an open circuit asks no more");
    }

    [Fact]
    public async Task What_a_store_holds_opens_no_circuit()
    {
        FailingStore store = new() { Fault = IdempotencyStoreFault.Corrupt };
        IdempotencyGate gate = GateOf(b => b.UseStore(_ => store));

        for (int i = 0; i < 100; i++) (await gate.EnterAsync(IdempotencyKey.Shared($"{i}").ToId(), default)).Status.Should().Be(IdempotencyStatus.Unreadable);

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

        public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default) => Fail<AcquireResult>();

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion outcome, ReadOnlyMemory<byte> payload, TimeSpan retention, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken = default) => Fail<bool>();

        public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken = default) => Fail<PeekResult>();

        public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken = default) => Fail<int>();
    }
}
