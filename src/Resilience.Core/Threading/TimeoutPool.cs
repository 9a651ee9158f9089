using System.Collections.Concurrent;

namespace Resilience;

/// <summary>Gives out timeout sources and takes them back: a few for each thread, and a bounded pool for all.</summary>
internal static class TimeoutPool
{
    /// <summary>Shorter timeouts stand in the heap of the dispatcher: the scanner comes by only so often.</summary>
    internal static readonly TimeSpan ShortestCoarse = TimeSpan.FromMilliseconds(TimeoutScanner.MaxSleepMs);

    private const int PerThread = 8;
    private const int MaxShared = 8192; // some two megabytes when full

    private static readonly ConcurrentQueue<TimeoutSource> SharedCoarse = new();
    private static readonly ConcurrentQueue<TimeoutSource> SharedExact = new();

    private static int Shared; // in both queues, to within those that are being moved

    [ThreadStatic]
    private static Spares? Mine;

    /// <summary>An idle source for a timeout of this length on this clock.</summary>
    internal static TimeoutSource Rent(Clock clock, TimeSpan timeout)
    {
        if (!clock.IsSystem) return MakeForProvider(clock.Time, timeout);
        bool isExact = timeout < ShortestCoarse;
        Spares mine = Mine ??= new();
        return isExact ? mine.Exact.TryPop() ?? Shareable(SharedExact) ?? MakeExact() : mine.Coarse.TryPop() ?? Shareable(SharedCoarse) ?? MakeCoarse();
    }

    /// <summary>An idle source that nothing but its owner and what is around it will end. It is not armed.</summary>
    internal static TimeoutSource RentUntimed(Clock clock) => clock.IsSystem
        ? Rent(clock, ShortestCoarse)
        : new TimeoutSource(null, isPooled: false);

    private static TimeoutSource? Shareable(ConcurrentQueue<TimeoutSource> pool)
    {
        if (!pool.TryDequeue(out TimeoutSource? source)) return null;
        Interlocked.Decrement(ref Shared);
        return source;
    }

    /// <summary>Takes a source back that will not be cancelled any more.</summary>
    internal static void Return(TimeoutSource source)
    {
        if (!source.IsPooled) return;
        Spares mine = Mine ??= new();
        if (source.IsExact ? mine.Exact.TryPush(source) : mine.Coarse.TryPush(source)) return;
        Share(source);
    }

    private static void Share(TimeoutSource source)
    {
        ConcurrentQueue<TimeoutSource> shared = source.IsExact ? SharedExact : SharedCoarse;
        if (Volatile.Read(ref Shared) < MaxShared)
        {
            Interlocked.Increment(ref Shared);
            shared.Enqueue(source);
        }
        else
        {
            Drop(source);
        }
    }

    /// <summary>Lets go of a source that has been cancelled, or that may still be cancelled.</summary>
    internal static void Drop(TimeoutSource source) => TimeoutScanner.System.Forget(source);

    private static TimeoutSource MakeCoarse()
    {
        TimeoutSource source = new(TimeoutScanner.System, isPooled: true);
        return TimeoutScanner.System.TryRegister(source) ? source : MakeExact();
    }

    private static TimeoutSource MakeExact() => new(null, isPooled: true);

    /// <summary>With a user's clock the source's timer is that clock's; it is used once.</summary>
    private static TimeoutSource MakeForProvider(TimeProvider provider, TimeSpan timeout) => new(null, isPooled: false, new(timeout, provider));

    /// <summary>The spares of one thread. When the thread has ended they go to the others: the scanner's table would hold them for ever.</summary>
    private sealed class Spares
    {
        internal Stack Coarse;
        internal Stack Exact;

        ~Spares()
        {
            // No other thread can reach us any more. Nothing here waits but for the table's gate, which is held for some instructions.
            while (Coarse.TryPop() is { } coarse) Share(coarse);
            while (Exact.TryPop() is { } exact) Share(exact);
        }
    }

    /// <summary>A handful of places. A mutable struct: a field of <see cref="Spares"/>, do not mark it readonly.</summary>
    private struct Stack
    {
        private TimeoutSource?[]? _places;
        private int _count;

        internal TimeoutSource? TryPop()
        {
            if (_count == 0) return null;
            ref TimeoutSource? place = ref _places![--_count];
            TimeoutSource? source = place;
            place = null;
            return source;
        }

        internal bool TryPush(TimeoutSource source)
        {
            if (_count == PerThread) return false;
            (_places ??= new TimeoutSource?[PerThread])[_count++] = source;
            return true;
        }
    }
}
