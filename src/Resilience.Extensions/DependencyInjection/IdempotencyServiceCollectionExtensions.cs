using System.Diagnostics.Metrics;
using System.Reflection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience;
using Resilience.Extensibility;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Idempotency in dependency injection.</summary>
public static class IdempotencyServiceCollectionExtensions
{
    /// <summary>Registers the <see cref="IdempotencyGate"/> without a name, with records in the memory of this process unless a store is named
    /// (<c>UseSqlite</c>, <c>UsePostgreSql</c>, <c>UseRedis</c>, <see cref="UseStore"/>).</summary>
    /// <param name="services">The services.</param>
    /// <param name="configure">Sets leases, retention, waiting and what happens when the store fails.</param>
    /// <remarks>Call it once. A second call, a second store, and options out of range stop the host at its start, all of them in one message;
    /// further gates have names (<see cref="AddIdempotency(IServiceCollection, string, Action{IdempotencyOptions}?)"/>).</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static IIdempotencyBuilder AddIdempotency(this IServiceCollection services, Action<IdempotencyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return Add(services, Options.Options.DefaultName, configure);
    }

    /// <summary>Registers a further <see cref="IdempotencyGate"/> with options and a store of its own: a keyed service of this name. Endpoints
    /// name it (<c>IdempotencyEndpointOptions.Gate</c>).</summary>
    /// <param name="services">The services.</param>
    /// <param name="name">Its name; the name in telemetry too, unless <see cref="PolicyOptions.Name"/> is set.</param>
    /// <param name="configure">Sets leases, retention, waiting and what happens when the store fails.</param>
    /// <remarks>Call it once for each name; see <see cref="AddIdempotency(IServiceCollection, Action{IdempotencyOptions}?)"/>.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="name"/> is null or empty.</exception>
    public static IIdempotencyBuilder AddIdempotency(this IServiceCollection services, string name, Action<IdempotencyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Add(services, name, configure);
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

    /// <summary>Keeps records in a store of yours. Made once; disposed with the container. A gate has one store: a second one is an error at the
    /// start.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IIdempotencyBuilder UseStore(this IIdempotencyBuilder builder, Func<IServiceProvider, IIdempotencyStore> create)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.SetStore(create);
        return builder;
    }

    /// <summary>Sets the pipeline that stands before the store. Without this it is a circuit breaker: while the store is down most callers hear
    /// at once. Stores in memory need none and have none.</summary>
    /// <param name="builder">What <see cref="AddIdempotency(IServiceCollection, Action{IdempotencyOptions}?)"/> returned.</param>
    /// <param name="configure">Adds the policies; none at all is allowed.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IIdempotencyBuilder GuardStore(this IIdempotencyBuilder builder, Action<ResiliencePipelineBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        RegistrationOf(builder).Guard = configure;
        return builder;
    }

    /// <summary>Asks the store when the host starts: a record of its own is claimed and given back, and the store says how it is set up
    /// (<see cref="IdempotencyGate.CheckStoreAsync"/>). Without this the store is not touched before its first call.</summary>
    /// <param name="builder">What <see cref="AddIdempotency(IServiceCollection, Action{IdempotencyOptions}?)"/> returned.</param>
    /// <param name="mustAnswer">Whether an outage stops the host as well: then the store is asked for 30 s. Default false: an outage passes, so it is
    /// logged as an error after 3 s, and the host starts.</param>
    /// <remarks>A mistake (no table, no right, a wrong password) always stops the host, with an <see cref="IdempotencyStoreException"/> that tells it. What
    /// weakens the store's promises is logged as a warning. It runs before anything else of the host is started: create tables before.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IIdempotencyBuilder CheckStoreAtStart(this IIdempotencyBuilder builder, bool mustAnswer = false)
    {
        ArgumentNullException.ThrowIfNull(builder);
        RegistrationOf(builder).StartCheck = mustAnswer ? IdempotencyStartCheck.MustAnswer : IdempotencyStartCheck.MayBeAway;
        return builder;
    }

    private static Builder Add(IServiceCollection services, string name, Action<IdempotencyOptions>? configure)
    {
        IdempotencyRegistration gate = RegistrationsOf(services).Add(name);
        if (configure is not null) services.Configure(name, configure);
        if (gate.Calls > 1) return new(services, gate);
        services.AddOptions<IdempotencyOptions>(name).Validate(static options =>
        {
            options.ThrowIfInvalid();
            return true;
        });
        IdempotencyRegistrations.StoreFactory store = new(gate);
        if (name.Length == 0)
        {
            services.TryAddSingleton<IIdempotencyStore>(store.Create);
            services.TryAddSingleton(provider => GateOf(provider, gate, provider.GetRequiredService<IIdempotencyStore>()));
        }
        else
        {
            services.TryAddKeyedSingleton<IIdempotencyStore>(name, store.Create);
            services.TryAddKeyedSingleton(name, (provider, key) => GateOf(provider, gate, provider.GetRequiredKeyedService<IIdempotencyStore>(key)));
        }

        return new(services, gate);
    }

    private static IdempotencyRegistrations RegistrationsOf(IServiceCollection services)
    {
        ServiceDescriptor? former = services.LastOrDefault(s => s.ServiceType == typeof(IdempotencyRegistrations));
        if (former?.ImplementationInstance is IdempotencyRegistrations known) return known;
        IdempotencyRegistrations made = new(services);
        services.AddSingleton(made);
        services.AddSingleton(provider => new IdempotencyGates(made, provider));
        services.AddSingleton<IHostedService>(
            provider =>
            {
                IdempotencyGates gates = provider.GetRequiredService<IdempotencyGates>();
                return new IdempotencyLifetime(new(made, gates, provider), gates);
            });
        services.AddOptions<StartCheck>().Validate<IdempotencyGates>(static (_, gates) =>
        {
            if (!gates.IsLeftToServer) gates.ThrowIfInvalid();
            return true;
        }).ValidateOnStart();
        made.IsLeftToServer = AddEndpointChecks(services);
        return made;
    }

    /// <summary>The package for ASP.NET Core knows what else must hold at the start, and nothing calls it before the application is built.</summary>
    private static Func<IServiceProvider, bool>? AddEndpointChecks(IServiceCollection services) =>
        Type.GetType("Resilience.Idempotency.IdempotencyStartup, Resilience.AspNetCore")?.GetMethod("AddTo", BindingFlags.Static | BindingFlags.Public)
            ?.CreateDelegate<Func<IServiceCollection, Func<IServiceProvider, bool>>>()(services);

    private static IdempotencyGate GateOf(IServiceProvider provider, IdempotencyRegistration gate, IIdempotencyStore store)
    {
        IdempotencyGates gates = provider.GetRequiredService<IdempotencyGates>();
        gates.ThrowIfInvalid();
        IdempotencyOptions options = provider.GetRequiredService<IOptionsMonitor<IdempotencyOptions>>().Get(gate.Name);
        if (gate.Name.Length > 0) options.Name ??= gate.Name;
        return gates.Keep(new(
            Guarded(provider, gate, store),
            options,
            provider.GetService<TimeProvider>(),
            meterFactory: provider.GetService<IMeterFactory>(),
            listener: SafeLogger.Of(provider.GetService<ILoggerFactory>(), ResilienceLog.Category) is { } log ? new EventLog(log).Write : null));
    }

    private static IIdempotencyStore Guarded(IServiceProvider provider, IdempotencyRegistration gate, IIdempotencyStore store)
    {
        if (store.Traits.IsImmediate) return store;
        ResiliencePipelineBuilder pipeline = new()
        {
            Name = gate.Name.Length == 0 ? "idempotency-store" : $"idempotency-store-{gate.Name}",
            Classifier = GuardedIdempotencyStore.Classifier,
            TimeProvider = provider.GetService<TimeProvider>() ?? TimeProvider.System,
            MeterFactory = provider.GetService<IMeterFactory>(),
        };
        if (SafeLogger.Of(provider.GetService<ILoggerFactory>(), ResilienceLog.Category) is { } log) pipeline.OnEvent(new EventLog(log).Write);
        ContainerSetup.Connect(pipeline, provider);
        gate.Guard(pipeline);
        return new GuardedIdempotencyStore(store, pipeline.Build());
    }

    private static IdempotencyRegistration RegistrationOf(IIdempotencyBuilder builder) => builder is Builder ours
        ? ours.Gate
        : RegistrationsOf(builder.Services).All.FirstOrDefault(r => r.Name == builder.Name)
            ?? throw new InvalidOperationException($"There is no idempotency gate '{builder.Name}': call AddIdempotency.");

    private sealed class Builder(IServiceCollection services, IdempotencyRegistration gate) : IIdempotencyBuilder
    {
        public IServiceCollection Services { get; } = services;

        public string Name => Gate.Name;

        internal IdempotencyRegistration Gate { get; } = gate;

        public void SetStore(Func<IServiceProvider, IIdempotencyStore> create)
        {
            ArgumentNullException.ThrowIfNull(create);
            Gate.CreateStore = create;
            Gate.Stores++;
        }
    }

    /// <summary>Stands for the check that the host makes at its start.</summary>
    private sealed class StartCheck;
}
