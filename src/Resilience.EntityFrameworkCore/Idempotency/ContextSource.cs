using System.Diagnostics.CodeAnalysis;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Idempotency;

/// <summary>Where a store has contexts of its own from: one for each operation.</summary>
internal abstract class ContextSource
{
    internal abstract ContextLease Lease();

    internal sealed class OfDelegate(Func<DbContext> make) : ContextSource
    {
        internal override ContextLease Lease()
        {
            DbContext context = make();
            return new(context, context);
        }
    }

    /// <summary>Contexts of the container, each in a scope of its own, as of no request.</summary>
    internal sealed class OfContainer<[DynamicallyAccessedMembers(
        DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.NonPublicConstructors
        | DynamicallyAccessedMemberTypes.PublicProperties)] TContext>(IServiceScopeFactory scopes) : ContextSource
        where TContext : DbContext
    {
        internal override ContextLease Lease()
        {
            AsyncServiceScope scope = scopes.CreateAsyncScope();
            try
            {
                if (scope.ServiceProvider.GetService<TContext>() is { } registered) return new(registered, scope);
                TContext made = scope.ServiceProvider.GetService<IDbContextFactory<TContext>>()?.CreateDbContext()
                    ?? throw new InvalidOperationException(
                        $"The container has no {typeof(TContext).Name}, in which records are kept: call services.AddDbContext<{typeof(TContext).Name}>().");
                return new(made, made);
            }
            catch
            {
                scope.Dispose();
                throw;
            }
        }
    }
}

/// <summary>A context, and what is to be disposed of with it.</summary>
internal readonly struct ContextLease(DbContext context, IAsyncDisposable owner) : IAsyncDisposable
{
    internal DbContext Context => context;

    public ValueTask DisposeAsync() => owner.DisposeAsync();
}
