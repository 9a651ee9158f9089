using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers idempotency: which store, and how.</summary>
public interface IIdempotencyBuilder
{
    /// <summary>The services that everything is registered in.</summary>
    IServiceCollection Services { get; }
}

/// <summary>Idempotency in dependency injection.</summary>
public static class IdempotencyServiceCollectionExtensions
{
    /// <summary>Registers an <see cref="IdempotencyGate"/>, with records in the memory of this process unless a store is named
    /// (<c>UseSqlite</c>, <c>UsePostgreSql</c>, <c>UseRedis</c>, <see cref="UseStore"/>). May be called any number of times.</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets leases, retention, waiting and what happens when the store fails.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IIdempotencyBuilder AddIdempotency(this IServiceCollection services, Action<IdempotencyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddOptions<IdempotencyOptions>().Validate(static options =>
        {
            options.ThrowIfInvalid();
            return true;
        }).ValidateOnStart();
        if (configure is not null) services.Configure(configure);
        services.TryAddSingleton<IIdempotencyStore>(static provider => new InMemoryIdempotencyStore(timeProvider: provider.GetService<TimeProvider>()));
        services.TryAddSingleton(new StoreGuard(static pipeline => pipeline.AddCircuitBreaker(new CircuitBreakerOptions { MinimumCalls = 20 })));
        services.TryAddSingleton<IdempotencyGates>();
        services.TryAddSingleton(static provider => provider.GetRequiredService<IdempotencyGates>().Keep(new(
            provider.GetRequiredService<StoreGuard>().Guard(provider),
            provider.GetRequiredService<IOptions<IdempotencyOptions>>().Value,
            provider.GetService<TimeProvider>(),
            meterFactory: provider.GetService<IMeterFactory>(),
            listener: provider.GetService<ILoggerFactory>() is { } logs ? new EventLog(logs.CreateLogger(ResilienceLog.Category)).Write : null)));
        return new Builder(services);
    }

    /// <summary>Keeps records in memory, with bounds of your own.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IIdempotencyBuilder UseInMemory(this IIdempotencyBuilder builder, Action<InMemoryIdempotencyOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.UseStore(provider =>
        {
            InMemoryIdempotencyOptions options = new();
            configure(options);
            return new InMemoryIdempotencyStore(options, provider.GetService<TimeProvider>());
        });
    }

    /// <summary>Keeps records in a store of yours, in the place of any that was named before. Made once; disposed with the container.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IIdempotencyBuilder UseStore(this IIdempotencyBuilder builder, Func<IServiceProvider, IIdempotencyStore> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(create);
        builder.Services.Replace(ServiceDescriptor.Singleton(create));
        return builder;
    }

    /// <summary>Sets the pipeline that stands before the store. Without this it is a circuit breaker: while the store is down most callers hear
    /// at once. Stores in memory need none and have none.</summary>
    /// <param name="builder">What <see cref="AddIdempotency"/> returned.</param>
    /// <param name="configure">Adds the policies; none at all is allowed.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IIdempotencyBuilder GuardStore(this IIdempotencyBuilder builder, Action<ResiliencePipelineBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        builder.Services.Replace(ServiceDescriptor.Singleton(new StoreGuard(configure)));
        return builder;
    }

    private sealed class StoreGuard(Action<ResiliencePipelineBuilder> configure)
    {
        internal IIdempotencyStore Guard(IServiceProvider provider)
        {
            IIdempotencyStore store = provider.GetRequiredService<IIdempotencyStore>();
            if (store.Traits.IsImmediate) return store;
            ResiliencePipelineBuilder pipeline = new()
            {
                Name = "idempotency-store",
                Classifier = GuardedIdempotencyStore.Classifier,
                TimeProvider = provider.GetService<TimeProvider>() ?? TimeProvider.System,
                MeterFactory = provider.GetService<IMeterFactory>(),
            };
            if (provider.GetService<ILoggerFactory>() is { } logs) pipeline.OnEvent(new EventLog(logs.CreateLogger(ResilienceLog.Category)).Write);
            ContainerSetup.Connect(pipeline, provider);
            configure(pipeline);
            return new GuardedIdempotencyStore(store, pipeline.Build());
        }
    }

    private sealed class Builder(IServiceCollection services) : IIdempotencyBuilder
    {
        public IServiceCollection Services { get; } = services;
    }
}
