using System.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;

namespace Resilience.EntityFrameworkCore;

/// <summary>What a transaction with all its attempts has in common.</summary>
internal abstract class TransactionCall<TContext, TResult>(TContext context, IsolationLevel isolationLevel) : IRepeatableOperation
    where TContext : DbContext
{
    private bool _hasBegun;
    private TResult? _last; // of the attempt whose COMMIT is about to be sent
    private TResult? _kept;

    public bool IsRepeatable { get; init; }

    public DbContext? Forgets => context;

    public void KeepResult() => _kept = _last;

    private protected TContext Context => context;

    private protected IsolationLevel IsolationLevel => isolationLevel;

    /// <summary>Begins an attempt. What an attempt before it has put into the context was rolled back with it.</summary>
    private protected void Begin()
    {
        if (_hasBegun) context.ChangeTracker.Clear();
        _hasBegun = true;
        _last = default;
    }

    private protected TResult Ended(TResult result) => _last = result;

    private protected ExecutionResult<TResult> Answer(bool wasApplied) => new(wasApplied, _kept!);

    /// <summary>Changes that were made before would be in the first attempt and in no other.</summary>
    private protected static void RequireNoChanges(TContext context, string method)
    {
        if (!context.ChangeTracker.HasChanges()) return;
        throw new InvalidOperationException(
            $"The context has changes that were made outside of {method}, and a repeat would lose them. Make them inside, or save them before.");
    }
}
