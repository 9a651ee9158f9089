using System.Runtime.CompilerServices;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;
using Resilience;
using Resilience.EntityFrameworkCore;
using Names = System.Collections.Concurrent.ConcurrentDictionary<
    (string Name, bool RepeatsUnknown, bool AllowsDriver), Resilience.EntityFrameworkCore.DatabaseResilience>;

namespace Microsoft.EntityFrameworkCore;

/// <summary>Gives contexts a pipeline.</summary>
public static class ResilienceDbContextOptionsBuilderExtensions
{
    private static readonly ConditionalWeakTable<ResiliencePipelineProvider, Names> OfContainers = [];

    /// <summary>Runs what contexts do through a pipeline for each server and database: SaveChanges, queries, migrations, and the operations of
    /// <c>CreateExecutionStrategy</c> and <c>InTransactionAsync</c>. Say it after the provider (<c>UseNpgsql</c> and the like).</summary>
    /// <remarks>
    /// An operation is repeated only where it is known that nothing of it was applied, or where it only reads: an exception after COMMIT was sent tells that
    /// the outcome is unknown (<see cref="DatabaseResilience.OutcomeKey"/>). The policies are those that were registered under the name
    /// (<c>services.AddResilience().AddPipeline(name, …)</c>); if none were, those of
    /// <see cref="DatabasePipelineBuilderExtensions.AddDatabasePolicies{TBuilder}(TBuilder)"/>. Circuits, budgets and limits are kept for the life of the
    /// container.
    /// </remarks>
    /// <param name="options">The options of the context.</param>
    /// <param name="services">The container, on which <c>AddResilience</c> was called.</param>
    /// <param name="pipelineName">The name of the pipelines, before the server and the database.</param>
    /// <param name="configure">Changes what is done beside the policies. Runs each time that options are made.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="pipelineName"/> is empty.</exception>
    /// <exception cref="InvalidOperationException">There is no relational provider, there is a strategy already, or no <c>AddResilience</c>.</exception>
    public static DbContextOptionsBuilder UseResilience(
        this DbContextOptionsBuilder options, IServiceProvider services, string pipelineName, Action<DatabaseResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(pipelineName);
        ResiliencePipelineProvider provider = services.GetService<ResiliencePipelineProvider>()
            ?? throw new InvalidOperationException("UseResilience with a container needs its pipelines: call services.AddResilience().");
        DatabaseResilienceOptions made = new();
        configure?.Invoke(made);
        DatabaseResilience resilience = OfContainers.GetOrCreateValue(provider).GetOrAdd(
            (pipelineName, made.RepeatUnknownCommits, made.AllowDriverRetries),
            static (key, of) => InContainer(key.Name, of.provider, of.made),
            (provider, made));
        return options.UseResilience(resilience);
    }

    /// <inheritdoc cref="UseResilience(DbContextOptionsBuilder, IServiceProvider, string, Action{DatabaseResilienceOptions}?)"/>
    public static DbContextOptionsBuilder<TContext> UseResilience<TContext>(
        this DbContextOptionsBuilder<TContext> options, IServiceProvider services, string pipelineName, Action<DatabaseResilienceOptions>? configure = null)
        where TContext : DbContext
    {
        ((DbContextOptionsBuilder)options).UseResilience(services, pipelineName, configure);
        return options;
    }

    /// <summary>Runs what contexts do through the pipelines of an object that you keep, without a container. Say it after the provider.</summary>
    /// <inheritdoc cref="UseResilience(DbContextOptionsBuilder, IServiceProvider, string, Action{DatabaseResilienceOptions}?)" path="/remarks"/>
    /// <param name="options">The options of the context.</param>
    /// <param name="resilience">Shared by all contexts of the kind.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException">There is no relational provider yet, or a strategy was configured before.</exception>
    public static DbContextOptionsBuilder UseResilience(this DbContextOptionsBuilder options, DatabaseResilience resilience)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(resilience);
        RelationalOptionsExtension relational = options.Options.Extensions.OfType<RelationalOptionsExtension>().FirstOrDefault()
            ?? throw new InvalidOperationException("UseResilience comes after the provider of a relational database: UseNpgsql(…).UseResilience(…).");
        if (relational.ExecutionStrategyFactory is not null) throw new InvalidOperationException(ResilienceOptionsExtension.IsTwice);
        ResilienceOptionsExtension added = new(resilience, dependencies => new ResilienceExecutionStrategy(dependencies, resilience));
        IDbContextOptionsBuilderInfrastructure all = options;
        all.AddOrUpdateExtension(added);
        all.AddOrUpdateExtension(relational.WithExecutionStrategyFactory(added.Factory));
        return options.AddInterceptors(DatabaseTracker.Instance);
    }

    /// <inheritdoc cref="UseResilience(DbContextOptionsBuilder, DatabaseResilience)"/>
    public static DbContextOptionsBuilder<TContext> UseResilience<TContext>(this DbContextOptionsBuilder<TContext> options, DatabaseResilience resilience)
        where TContext : DbContext
    {
        ((DbContextOptionsBuilder)options).UseResilience(resilience);
        return options;
    }

    private static DatabaseResilience InContainer(string name, ResiliencePipelineProvider provider, DatabaseResilienceOptions options) => new(
        name,
        partition => provider.GetPipeline(name, partition, static (builder, isRegistered) => DatabaseResilience.Complete(builder, isRegistered)),
        options);
}
