using System.Runtime.ExceptionServices;
using Microsoft.EntityFrameworkCore;

namespace Resilience.Idempotency;

/// <summary>Code that runs once, whatever the execution strategy around it would repeat.</summary>
internal sealed class RunOnce(DbContext context, Func<ITransactionalScope, ValueTask> run)
{
    private ExceptionDispatchInfo? _error;

    internal bool HasRun { get; private set; }

    internal async Task<bool> RunAsync()
    {
        if (HasRun) return true;
        HasRun = true;
        ContextTransaction scope = new(context);
        try
        {
            await run(scope).ConfigureAwait(false);
        }
        catch (Exception error)
        {
            _error = ExceptionDispatchInfo.Capture(error); // to the strategy it is no exception, which it would repeat
        }
        finally
        {
            await scope.EndAsync().ConfigureAwait(false);
        }

        return true;
    }

    internal void ThrowIfFailed() => _error?.Throw();
}
