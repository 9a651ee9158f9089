using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Telemetry;

/// <summary>What the health checks report: a circuit in each state, and a store with each fault.</summary>
internal static class SpokenHealth
{
    internal static async Task<IReadOnlyList<string>> OfCircuitsAsync()
    {
        FakeTimeProvider time = new(new DateTimeOffset(2026, 3, 14, 12, 0, 3, TimeSpan.Zero));
        CircuitBreaker isolated = new(new(), time), open = Breaking(time), probing = Breaking(time);
        isolated.Isolate();
        time.Advance(TimeSpan.FromSeconds(3.2));
        probing.TryEnter(out _).Should().Be(CircuitAdmission.RejectedOpen);
        CircuitBreakerPartitions tenants = new(new() { ConsecutiveFailures = 2, BreakJitter = 0 }, timeProvider: time);
        Break(tenants.Get("tenant-7"));
        ServiceCollection services = new();
        services.AddSingleton<TimeProvider>(time).AddLogging().AddHealthChecks().AddResilience();
        services.AddResilience()
            .AddPipeline("mail", p => p.AddCircuitBreaker(isolated))
            .AddPipeline("orders", p => p.AddCircuitBreaker(open))
            .AddPipeline("prices", p => p.AddCircuitBreaker(probing))
            .AddPipeline("reports", p => p.AddCircuitBreaker(tenants, c => c.Operation));
        await using ServiceProvider container = services.BuildServiceProvider();
        List<string> said = [.. await LookAsync(container)];
        foreach (string name in (string[])["mail", "orders", "prices", "reports"]) container.GetRequiredKeyedService<ResiliencePipeline>(name);
        said.AddRange(await LookAsync(container));
        time.Advance(TimeSpan.FromSeconds(2));
        probing.TryEnter(out _).Should().Be(CircuitAdmission.AdmittedAsProbe);
        time.Advance(TimeSpan.FromMilliseconds(100));
        said.AddRange(await LookAsync(container));
        return said;
    }

    private static CircuitBreaker Breaking(TimeProvider time)
    {
        CircuitBreaker breaker = new(new() { ConsecutiveFailures = 2, BreakJitter = 0 }, time);
        Break(breaker);
        return breaker;
    }

    private static void Break(CircuitBreaker breaker)
    {
        for (int i = 0; i < 2; i++)
        {
            breaker.TryEnter(out CircuitPermit permit).Should().Be(CircuitAdmission.Admitted);
            breaker.Exit(permit, Verdict.Failure);
        }
    }

    internal static async Task<IReadOnlyList<string>> OfStoresAsync()
    {
        ServiceCollection services = new();
        services.AddLogging().AddHealthChecks().AddIdempotencyStores();
        services.AddIdempotency().UseInMemory(_ => { });
        await using ServiceProvider well = services.BuildServiceProvider();
        List<string> said = [.. await LookAsync(well)];
        foreach (IdempotencyStoreFault fault in Enum.GetValues<IdempotencyStoreFault>())
            services.AddIdempotency($"with-{fault}".ToLowerInvariant()).UseStore(_ => new Failing(fault));
        await using ServiceProvider ill = services.BuildServiceProvider();
        said.AddRange(await LookAsync(ill));
        return said;
    }

    /// <summary>The description, and each of the data.</summary>
    private static async Task<IEnumerable<string>> LookAsync(IServiceProvider services)
    {
        HealthReportEntry entry = (await services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries.Single().Value;
        return [$"{entry.Status}: {entry.Description}", .. entry.Data.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"  {d.Key}: {d.Value}")];
    }

    private sealed class Failing(IdempotencyStoreFault fault) : IIdempotencyStore
    {
        public IdempotencyStoreTraits Traits { get; } = new() { Name = "PostgreSQL" };

        private IdempotencyStoreException Fault => new(fault, $"PostgreSQL says that it is {fault.ToString().ToLowerInvariant()}.");

        public ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken) => throw Fault;

        public ValueTask<bool> RenewAsync(IdempotencyId id, long fence, TimeSpan lease, CancellationToken cancellationToken) => throw Fault;

        public ValueTask<bool> CompleteAsync(
            IdempotencyId id, long fence, IdempotencyCompletion completion, ReadOnlyMemory<byte> payload, TimeSpan retention,
            CancellationToken cancellationToken) => throw Fault;

        public ValueTask<bool> ReleaseAsync(IdempotencyId id, long fence, CancellationToken cancellationToken) => throw Fault;

        public ValueTask<PeekResult> PeekAsync(IdempotencyId id, CancellationToken cancellationToken) => throw Fault;

        public ValueTask<int> PurgeAsync(int max, CancellationToken cancellationToken) => throw Fault;
    }
}
