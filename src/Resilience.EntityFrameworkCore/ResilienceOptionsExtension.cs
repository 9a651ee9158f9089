using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.EntityFrameworkCore;

/// <summary>Stands in the options of a context that has resilience, and sees to it that nothing else repeats.</summary>
internal sealed class ResilienceOptionsExtension : IDbContextOptionsExtension
{
    internal const string IsTwice =
        "The context has an execution strategy beside that of UseResilience (EnableRetryOnFailure, ExecutionStrategy, or UseResilience a second time): "
        + "two retries multiply. Remove one.";

    private readonly DatabaseResilience _resilience;

    internal ResilienceOptionsExtension(DatabaseResilience resilience, Func<ExecutionStrategyDependencies, IExecutionStrategy> factory)
    {
        _resilience = resilience;
        Factory = factory;
        Info = new OfExtension(this);
    }

    internal Func<ExecutionStrategyDependencies, IExecutionStrategy> Factory { get; }

    public DbContextOptionsExtensionInfo Info { get; }

    public void ApplyServices(IServiceCollection services)
    {
        // The strategy and the tracker come by the options.
    }

    public void Validate(IDbContextOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Extensions.OfType<RelationalOptionsExtension>().FirstOrDefault()?.ExecutionStrategyFactory != Factory)
            throw new InvalidOperationException(IsTwice);
    }

    /// <summary>EF Core validates options once for all that look alike. A strategy that was configured after ours is found where ours does not run.</summary>
    internal static void Validate(DbContext context)
    {
        IDbContextOptions options = context.GetService<IDbContextOptions>();
        options.FindExtension<ResilienceOptionsExtension>()?.Validate(options);
    }

    /// <summary>A command of an operation that runs: an interceptor may have given it a retry of the driver's.</summary>
    /// <exception cref="InvalidOperationException">It has one, and the pipeline repeats.</exception>
    internal static void CheckDriver(DbContext context, DbCommand command)
    {
        DatabaseResilience? resilience = context.GetService<IDbContextOptions>().FindExtension<ResilienceOptionsExtension>()?._resilience;
        if (resilience is { AllowsDriverRetries: false } && resilience.Repeats(context)) DriverRetries.ThrowIfAny(command, resilience.Name);
    }

    private sealed class OfExtension(ResilienceOptionsExtension extension) : DbContextOptionsExtensionInfo(extension)
    {
        public override bool IsDatabaseProvider => false;

        public override string LogFragment => $"resilience={extension._resilience.Name} ";

        public override int GetServiceProviderHashCode() => 0;

        public override bool ShouldUseSameServiceProvider(DbContextOptionsExtensionInfo other) => other is OfExtension;

        public override void PopulateDebugInfo(IDictionary<string, string> debugInfo)
        {
            ArgumentNullException.ThrowIfNull(debugInfo);
            debugInfo["Resilience"] = extension._resilience.Name;
        }
    }
}
