using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;

namespace Resilience.Overload;

/// <summary>Cancels <see cref="HttpContext.RequestAborted"/> also when the time of the request is up.</summary>
/// <remarks>The source of the time is used again, and no code of the user sees its token; the token that the user sees is of a source of its own, because who
/// keeps it would hear of the time of another request.</remarks>
internal sealed class DeadlineSource : IDisposable
{
    private const int MaxSpares = 1024;

    private static readonly ConcurrentQueue<CancellationTokenSource> Spares = new();
    private static int SpareCount; // may be off by what happens at once: it is a bound, not a count

    private readonly HttpContext _context;
    private readonly CancellationToken _aborted; // that of the server
    private readonly CancellationTokenSource _time;
    private readonly bool _isPooled;
    private readonly CancellationTokenSource _either;

    internal DeadlineSource(HttpContext context, TimeSpan left, TimeProvider time)
    {
        _context = context;
        _aborted = context.RequestAborted;
        _isPooled = ReferenceEquals(time, TimeProvider.System);
        _time = _isPooled ? Rent() : new(left, time);
        if (_isPooled) _time.CancelAfter(left);
        _either = CancellationTokenSource.CreateLinkedTokenSource(_aborted, _time.Token);
        context.RequestAborted = _either.Token;
    }

    /// <summary>The client has left.</summary>
    internal bool IsAborted => _aborted.IsCancellationRequested;

    /// <summary>The request goes on without a deadline.</summary>
    internal void Stop() => _time.CancelAfter(Timeout.InfiniteTimeSpan);

    public void Dispose()
    {
        _context.RequestAborted = _aborted;
        _either.Dispose(); // before the time is given back: nothing hangs on it any more
        if (_isPooled && _time.TryReset() && Volatile.Read(ref SpareCount) < MaxSpares)
        {
            Interlocked.Increment(ref SpareCount); // counted alone, read above: no other access depends on it
            Spares.Enqueue(_time);
            return;
        }

        _time.Dispose();
    }

    private static CancellationTokenSource Rent()
    {
        if (!Spares.TryDequeue(out CancellationTokenSource? spare)) return new();
        Interlocked.Decrement(ref SpareCount); // as above
        return spare;
    }
}
