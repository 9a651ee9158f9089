using Npgsql;
using Resilience;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the PostgreSQL store.</summary>
public static class PostgresIdempotencyBuilderExtensions
{
    /// <summary>Keeps records in a table of PostgreSQL, through the <see cref="NpgsqlDataSource"/> of the container. Create the table with
    /// <see cref="PostgresIdempotencyStore.EnsureCreatedAsync"/> or <see cref="PostgresIdempotencyStore.CreateScript"/>.</summary>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configure">Sets schema, table and bounds.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static TBuilder UsePostgreSql<TBuilder>(this TBuilder builder, Action<PostgresIdempotencyOptions>? configure = null)
        where TBuilder : IIdempotencyStoreBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        PostgresIdempotencyOptions options = new();
        configure?.Invoke(options);
        options.ThrowIfInvalid();
        builder.SetStore(provider => new PostgresIdempotencyStore(Registered(provider), options));
        return builder;
    }

    /// <inheritdoc cref="UsePostgreSql{TBuilder}(TBuilder, Action{PostgresIdempotencyOptions}?)"/>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="connectionString">For a data source of the store's own.</param>
    /// <param name="configure">Sets schema, table and bounds.</param>
    public static TBuilder UsePostgreSql<TBuilder>(
        this TBuilder builder, string connectionString, Action<PostgresIdempotencyOptions>? configure = null)
        where TBuilder : IIdempotencyStoreBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        NpgsqlConnectionStringBuilder checkedString = new(connectionString);
        PostgresIdempotencyOptions options = new();
        configure?.Invoke(options);
        options.ThrowIfInvalid();

        // Not in the container: there it would take the place of the application's own data source, or be taken for it.
        builder.SetStore(_ => PostgresIdempotencyStore.Owning(NpgsqlDataSource.Create(checkedString), options));
        return builder;
    }

    private static NpgsqlDataSource Registered(IServiceProvider provider) => (NpgsqlDataSource?)provider.GetService(typeof(NpgsqlDataSource))
        ?? throw new InvalidOperationException(
            "UsePostgreSql() works through the NpgsqlDataSource of the container, and there is none: register one, or give UsePostgreSql a connection string.");
}
