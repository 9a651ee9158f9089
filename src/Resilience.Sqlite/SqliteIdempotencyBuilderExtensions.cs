using Resilience;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the SQLite store.</summary>
public static class SqliteIdempotencyBuilderExtensions
{
    /// <summary>Keeps records in an SQLite file.</summary>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="connectionString">Such as <c>Data Source=keys.db</c>.</param>
    /// <param name="configure">Sets the rest.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static TBuilder UseSqlite<TBuilder>(this TBuilder builder, string connectionString, Action<SqliteIdempotencyOptions>? configure = null)
        where TBuilder : IIdempotencyStoreBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        SqliteIdempotencyOptions options = new() { ConnectionString = connectionString };
        configure?.Invoke(options);
        options.ThrowIfInvalid();
        builder.SetStore(provider => new SqliteIdempotencyStore(options, (TimeProvider?)provider.GetService(typeof(TimeProvider))));
        return builder;
    }
}
