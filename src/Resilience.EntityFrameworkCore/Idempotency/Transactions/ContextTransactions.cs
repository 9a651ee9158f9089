using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;

namespace Resilience.Idempotency;

/// <summary>Transactions on the context of a request. The context's execution strategy, whichever it is, is entered once, so that transactions may be begun
/// in it, and never repeats: what may be repeated is known further out.</summary>
internal sealed class ContextTransactions<TContext> : ITransactionalScopeFactory
    where TContext : DbContext
{
    public async ValueTask RunAsync(IServiceProvider services, Func<ITransactionalScope, ValueTask> run)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(run);
        TContext context = services.GetService<TContext>() ?? throw new InvalidOperationException(
            $"The services of the request have no {typeof(TContext).Name}: call services.AddDbContext<{typeof(TContext).Name}>().");
        RunOnce once = new(context, run);
        IExecutionStrategy strategy = context.Database.CreateExecutionStrategy();
        try
        {
            await strategy.ExecuteAsync(once, static (_, one, _) => one.RunAsync(), null, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception) when (once.HasRun)
        {
            // The strategy has something to say of a run that has ended (its time was over, say): how it ended is known.
        }

        once.ThrowIfFailed();
    }
}
