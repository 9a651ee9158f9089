namespace Resilience.Testing;

/// <summary>Knows whether code of one simulation is in the thread pool, and waits until none is: time does not move on while a step may be under way.</summary>
internal sealed class PoolRest
{
    /// <summary>How long the pool must be at rest where it is not known that everything of ours has come to a thread.</summary>
    private static readonly TimeSpan Calm = TimeSpan.FromMilliseconds(2);

    private int _elsewhere; // threads other than ours that run our code now
    private long _queued; // how often our code was queued in the thread pool
    private long _arrived; // and how often it came to another thread
    private long _left; // how often our code was queued in the thread pool, or came to another thread in another way
    private long _settled; // of these, how many are over
    private bool _isWatched; // we hear of what is queued in the pool
    private int _thread;
    private int _others; // workers of the pool that are active without us: the least that we saw, and ourselves

    /// <summary>True where we hear of what is queued in the pool. A worker may learn only with its next round that there is a listener.</summary>
    internal bool IsWatched() => _isWatched = PoolWatch.Hears();

    /// <summary>Looks how many workers are active without us.</summary>
    internal void Look() => _others = MinActive();

    /// <summary>The simulation runs on this thread from now on.</summary>
    internal void BeginOnThisThread() => _thread = Environment.CurrentManagedThreadId;

    /// <summary>Nothing of the simulation has ever left its thread.</summary>
    internal bool IsUntouched => Volatile.Read(ref _left) == 0;

    /// <summary>The pool has one worker, which is us.</summary>
    internal static bool IsAlone
    {
        get
        {
            ThreadPool.GetMaxThreads(out int workers, out _);
            return workers == 1;
        }
    }

    /// <summary>Waits until nothing of ours is in the thread pool. Costs a look at a number as long as nothing has gone there.</summary>
    internal void Settle(TimeSpan watchdog)
    {
        if (IsAlone) return;
        if (_isWatched && Volatile.Read(ref _left) == _settled && Volatile.Read(ref _elsewhere) == 0) return;
        long start = TimeProvider.System.GetTimestamp();
        long restSince = 0;
        SpinWait spin = default;
        while (true)
        {
            long left = Volatile.Read(ref _left); // before the look: what is queued later is another round
            if (Volatile.Read(ref _elsewhere) > 0 || !IsPoolAtRest() || Volatile.Read(ref _elsewhere) > 0)
            {
                restSince = 0;
            }
            else if (Volatile.Read(ref _arrived) >= Volatile.Read(ref _queued) || HasRestedFor(ref restSince))
            {
                // What was queued without its context never comes to a thread as ours: then the rest must last.
                _settled = left;
                return;
            }

            if (TimeProvider.System.GetElapsedTime(start) > watchdog)
            {
                throw new InvalidOperationException(
                    $"Code of the simulation has been in the thread pool for {watchdog.TotalSeconds:0.#} s of real time, or something else keeps the pool "
                    + "busy. Time does not move on while a step may be under way.");
            }

            spin.SpinOnce();
        }
    }

    /// <summary>Nothing is queued, and no more workers are active than were before our code ran.</summary>
    /// <remarks>
    /// An item is queued until a worker takes it, and the worker counts as active from before it takes it until it finds nothing more. So what is in neither
    /// count at
    /// a time is not in the pool at that time. The two counts are read one after the other; between them an item may end that has queued another
    /// before: then the number of completed items has changed, and we look again later. A test host blocks some workers for good: they were active before.
    /// </remarks>
    private bool IsPoolAtRest()
    {
        long completed = ThreadPool.CompletedWorkItemCount;
        if (ThreadPool.PendingWorkItemCount > 0) return false;
        int active = ActiveWorkers();
        _others = Math.Min(_others, active);
        return active == _others && ThreadPool.PendingWorkItemCount == 0 && ThreadPool.CompletedWorkItemCount == completed;
    }

    /// <summary>How many workers of the pool are active without us. A worker that is about to end counts as active and would hide one of ours later, so we
    /// look until there have not been fewer for a while.</summary>
    private static int MinActive()
    {
        int min = ActiveWorkers();
        long since = TimeProvider.System.GetTimestamp();
        SpinWait spin = default;
        while (TimeProvider.System.GetElapsedTime(since) < Calm)
        {
            spin.SpinOnce();
            int active = ActiveWorkers();
            if (active >= min) continue;
            min = active;
            since = TimeProvider.System.GetTimestamp();
        }

        return min;
    }

    private static bool HasRestedFor(ref long since)
    {
        if (since == 0) since = TimeProvider.System.GetTimestamp();
        return TimeProvider.System.GetElapsedTime(since) >= Calm;
    }

    private static int ActiveWorkers()
    {
        ThreadPool.GetMaxThreads(out int max, out _);
        ThreadPool.GetAvailableThreads(out int free, out _);
        return max - free;
    }

    /// <summary>Our code is queued in the thread pool, on whatever thread.</summary>
    internal void Leaves()
    {
        Interlocked.Increment(ref _queued);
        Interlocked.Increment(ref _left); // last: who sees it sees that it was queued
    }

    /// <summary>Our execution context has come to a thread or left it: that is how we know of code that runs elsewhere.</summary>
    internal void Moved(bool comes)
    {
        if (Environment.CurrentManagedThreadId == _thread) return;
        if (comes)
        {
            Interlocked.Increment(ref _elsewhere);
            Interlocked.Increment(ref _arrived); // after: what has arrived is seen elsewhere until it is done
            Interlocked.Increment(ref _left);
        }
        else
        {
            Interlocked.Decrement(ref _elsewhere);
        }
    }
}
