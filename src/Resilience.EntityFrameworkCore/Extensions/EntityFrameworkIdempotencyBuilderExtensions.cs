using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Resilience;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers the store in the database of a context.</summary>
public static class EntityFrameworkIdempotencyBuilderExtensions
{
    /// <summary>Keeps records in the database of a context of the application. Call <c>model.AddIdempotency()</c> in its <c>OnModelCreating</c>, and add a
    /// migration.</summary>
    /// <typeparam name="TContext">The context. It is made in a scope of its own, as of no request, for claims, renewals and whatever else is not said in a
    /// transaction: one whose database depends on the request cannot keep records so.</typeparam>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configure">Sets bounds, and the clock of databases that are not known here.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static IIdempotencyBuilder UseEntityFrameworkCore<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.NonPublicConstructors
        | DynamicallyAccessedMemberTypes.PublicProperties)] TContext>(
        this IIdempotencyBuilder builder, Action<EntityFrameworkIdempotencyOptions>? configure = null)
        where TContext : DbContext
    {
        ArgumentNullException.ThrowIfNull(builder);
        EntityFrameworkIdempotencyOptions options = new();
        configure?.Invoke(options);
        options.ThrowIfInvalid();
        builder.Services.TryAddKeyedSingleton<ITransactionalScopeFactory, ContextTransactions<TContext>>(typeof(TContext));
        builder.SetStore(provider => new EntityFrameworkIdempotencyStore(
            new ContextSource.OfContainer<TContext>(provider.GetRequiredService<IServiceScopeFactory>()), options));
        return builder;
    }
}
