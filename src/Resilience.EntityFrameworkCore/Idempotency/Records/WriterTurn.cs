using System.Collections.Concurrent;
using System.Data.Common;

namespace Resilience.Idempotency;

/// <summary>Whose turn it is to write to a database that takes one writer at a time: who waits here waits in order, for the length of its token, and holds no
/// thread. Writers of other processes and of the application's own are met at the file.</summary>
/// <remarks>One for each connection string, for as long as the process lives: as many as there are files.</remarks>
internal sealed class WriterTurn : IDisposable
{
    private static readonly ConcurrentDictionary<string, SemaphoreSlim> OfFile = new(StringComparer.Ordinal);

    private SemaphoreSlim? _turn;

    private WriterTurn(SemaphoreSlim turn) => _turn = turn;

    internal static async ValueTask<WriterTurn> TakeAsync(DbConnection connection, CancellationToken cancellationToken)
    {
        SemaphoreSlim turn = OfFile.GetOrAdd(connection.ConnectionString, static _ => new(1, 1));
        await turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        return new(turn);
    }

    /// <summary>The next one may write.</summary>
    public void Dispose() => Interlocked.Exchange(ref _turn, null)?.Release();
}
