using System.Data.Common;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Resilience.EntityFrameworkCore.Tests.Support;

/// <summary>Counts commits, and remembers what a test saw before.</summary>
internal sealed class CommitWatch : DbTransactionInterceptor
{
    internal int Count { get; private set; }

    /// <summary>Whether a byte of a response had left.</summary>
    internal bool HasStarted { get; set; }

    public override ValueTask<InterceptionResult> TransactionCommittingAsync(
        DbTransaction transaction, TransactionEventData eventData, InterceptionResult result, CancellationToken cancellationToken = default)
    {
        Count++;
        return new(result);
    }
}
