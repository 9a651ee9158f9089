using System.Data.Common;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>What is planted into the store, or into what the endpoint's transactions are made of, to see that the check of a law finds it.</summary>
public enum Flaw
{
    /// <summary>Nothing is wrong.</summary>
    None,

    /// <summary>The record is written by a commit of its own.</summary>
    RecordApart,

    /// <summary>Payloads come back with their last byte cut off and filled up.</summary>
    ChangedPayload,

    /// <summary>An outcome is kept whatever the fence is.</summary>
    NoFence,

    /// <summary>That the record could not be written is not noticed.</summary>
    RecordErrorIgnored,

    /// <summary>A COMMIT whose answer is lost counts as done.</summary>
    CommitTrusted,

    /// <summary>The store is not told that a transaction works under the claim.</summary>
    NotEntered,

    /// <summary>A context keeps its entities for the next run.</summary>
    NothingForgotten,

    /// <summary>A commit is cancelled with its caller.</summary>
    CommitCancelled,

    /// <summary>Every claim in a transaction is granted.</summary>
    AlwaysGranted,

    /// <summary>Rows are committed whatever the endpoint answers.</summary>
    AllCommitted,

    /// <summary>All tenants are one.</summary>
    OneTenant,
}

/// <summary>A store with a flaw.</summary>
internal sealed class FlawedRecords(EntityFrameworkIdempotencyStore inner, Flaw flaw) : ForwardingRecords(inner)
{
    public override async ValueTask<AcquireResult> TryAcquireAsync(AcquireRequest request, CancellationToken cancellationToken = default)
    {
        AcquireResult answer = await base.TryAcquireAsync(request, cancellationToken);
        if (flaw != Flaw.ChangedPayload || answer.Status != AcquireStatus.Completed) return answer;
        byte[] changed = answer.Payload.ToArray();
        changed[^1] ^= 1;
        return AcquireResult.Completed(answer.Completion, changed);
    }

    public override async ValueTask<AcquireResult> TryAcquireAsync(
        DbTransaction transaction, AcquireRequest request, CancellationToken cancellationToken = default)
    {
        AcquireResult answer = await base.TryAcquireAsync(transaction, request, cancellationToken);
        return flaw == Flaw.AlwaysGranted ? AcquireResult.Acquired(1, 1) : answer;
    }

    public override async ValueTask<bool> CompleteAsync(
        DbTransaction transaction,
        IdempotencyId id,
        long fence,
        IdempotencyCompletion completion,
        ReadOnlyMemory<byte> payload,
        TimeSpan retention,
        CancellationToken cancellationToken = default)
    {
        try
        {
            if (flaw == Flaw.RecordApart)
            {
                // Where one transaction has the file to itself, no other can be beside it: there the record is left out.
                return transaction.GetType().Name == "SqliteTransaction"
                    || await Inner.CompleteAsync(id, fence, completion, payload, retention, cancellationToken);
            }

            bool isKept = await base.CompleteAsync(transaction, id, fence, completion, payload, retention, cancellationToken);
            return isKept || flaw is Flaw.NoFence or Flaw.AlwaysGranted;
        }
        catch (IdempotencyStoreException) when (flaw == Flaw.RecordErrorIgnored)
        {
            return true;
        }
    }

    public override ValueTask EnterAsync(DbTransaction transaction, IdempotencyId id, CancellationToken cancellationToken = default) =>
        flaw == Flaw.NotEntered ? default : base.EnterAsync(transaction, id, cancellationToken);

    public override ValueTask<CommitResolution> ResolveAsync(IdempotencyId id, Guid nonce, TimeSpan wait, CancellationToken cancellationToken = default) =>
        flaw == Flaw.CommitTrusted ? new(CommitResolution.Committed) : base.ResolveAsync(id, nonce, wait, cancellationToken);
}

/// <summary>Transactions with a flaw.</summary>
internal sealed class FlawedTransactions(Flaw flaw) : ITransactionalScopeFactory
{
    private readonly ContextTransactions<RecordShop> _inner = new();

    public ValueTask RunAsync(IServiceProvider services, Func<ITransactionalScope, ValueTask> run) =>
        _inner.RunAsync(services, scope => run(new Scope(scope, flaw)));

    private sealed class Scope(ITransactionalScope inner, Flaw flaw) : ITransactionalScope
    {
        public DbTransaction Transaction => inner.Transaction;

        public bool IsTaken => inner.IsTaken;

        public ValueTask BeginAsync(System.Data.IsolationLevel isolationLevel, CancellationToken cancellationToken) =>
            inner.BeginAsync(isolationLevel, cancellationToken);

        public async ValueTask CommitAsync()
        {
            if (flaw == Flaw.CommitCancelled) throw new OperationCanceledException("the client has left");
            await inner.CommitAsync();
        }

        public ValueTask EndAsync() => inner.EndAsync();

        public void Forget()
        {
            if (flaw != Flaw.NothingForgotten) inner.Forget();
        }

        public TransactionFault Judge(Exception error) => inner.Judge(error);
    }
}
