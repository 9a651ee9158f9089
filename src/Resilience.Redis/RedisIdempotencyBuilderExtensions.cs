using Resilience;
using Resilience.Idempotency;
using StackExchange.Redis;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the Redis store.</summary>
public static class RedisIdempotencyBuilderExtensions
{
    /// <summary>Keeps records in Redis, through the <see cref="IConnectionMultiplexer"/> of the container. Ask
    /// <see cref="RedisIdempotencyStore.CheckAsync"/> whether the server is set up for it.</summary>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configure">Sets prefix, database and bounds.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static TBuilder UseRedis<TBuilder>(this TBuilder builder, Action<RedisIdempotencyOptions>? configure = null)
        where TBuilder : IIdempotencyStoreBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        RedisIdempotencyOptions options = new();
        configure?.Invoke(options);
        options.ThrowIfInvalid();
        builder.SetStore(provider => new RedisIdempotencyStore(Registered(provider), options));
        return builder;
    }

    /// <inheritdoc cref="UseRedis{TBuilder}(TBuilder, Action{RedisIdempotencyOptions}?)"/>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configuration">For a connection that the container makes when it is first needed. It need not succeed at once: until it
    /// does, the store is unavailable.</param>
    /// <param name="configure">Sets prefix, database and bounds.</param>
    public static TBuilder UseRedis<TBuilder>(this TBuilder builder, string configuration, Action<RedisIdempotencyOptions>? configure = null)
        where TBuilder : IIdempotencyStoreBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        ConfigurationOptions connection = ConfigurationOptions.Parse(configuration);
        connection.AbortOnConnectFail = false;
        connection.BacklogPolicy = BacklogPolicy.FailFast; // who has no connection hears so, and why; the gate asks again
        RedisIdempotencyOptions options = new();
        configure?.Invoke(options);
        options.ThrowIfInvalid();

        // Not in the container: there it would take the place of the application's own connection, or be taken for it.
        builder.SetStore(_ => RedisIdempotencyStore.Owning(ConnectionMultiplexer.Connect(connection), options));
        return builder;
    }

    private static IConnectionMultiplexer Registered(IServiceProvider provider) => (IConnectionMultiplexer?)provider.GetService(typeof(IConnectionMultiplexer))
        ?? throw new InvalidOperationException(
            "UseRedis() works through the IConnectionMultiplexer of the container, and there is none: register one, or give UseRedis a configuration.");
}
