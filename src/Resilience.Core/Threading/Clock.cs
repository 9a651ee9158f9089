using System.Diagnostics.CodeAnalysis;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>The monotonic clock of the policies, in whole milliseconds since an arbitrary moment. Never the wall clock.</summary>
/// <remarks>
/// A precise reading costs 25 ns where a compare-and-swap costs 2, so on the system's time we read the kernel's coarse
/// monotonic clock, which lags by at most one of its ticks (1–4 ms on Linux, 16 ms on Windows). Every deadline of the library
/// is a number on this one line, so readings are always compared with readings of the same kind. With a
/// <see cref="TimeProvider"/> of the user's, its timestamp is used, exact to the millisecond whatever its frequency.
/// </remarks>
internal sealed class Clock
{
    /// <summary>"No deadline".</summary>
    internal const long Never = long.MaxValue;

    private readonly TimeProvider _provider;
    private readonly TimeProvider _time; // the same, and it does not throw
    private readonly bool _isSystem;
    private readonly long _frequency; // of the user's provider, in ticks a second
    private readonly long _ticksPerMs; // the same in ticks a millisecond; 0 where that is no whole number
    private ProviderLine _line = new(0, long.MinValue);

    internal static Clock System { get; } = new(TimeProvider.System);

    private Clock(TimeProvider provider)
    {
        _provider = provider;
        _isSystem = ReferenceEquals(provider, TimeProvider.System);
        _frequency = provider.TimestampFrequency;
        if (_frequency <= 0) throw new ArgumentException($"The TimeProvider says that its timestamps advance {_frequency} times a second.", nameof(provider));
        _ticksPerMs = _frequency % 1000 == 0 ? _frequency / 1000 : 0;
        _time = _isSystem ? provider : new SafeTime(provider);
    }

    internal static Clock For(TimeProvider provider) => ReferenceEquals(provider, TimeProvider.System) ? System : new(provider);

    /// <summary>What the user gave, for the user's eyes. Policies use <see cref="Time"/>.</summary>
    internal TimeProvider Provider => _provider;

    /// <summary>The provider, and whatever it throws is counted and answered all the same.</summary>
    internal TimeProvider Time => _time;

    internal bool IsSystem => _isSystem;

    /// <summary>How many ticks of <see cref="Timestamp"/> make a second.</summary>
    internal long Frequency => _frequency;

    /// <summary>Milliseconds on the monotonic line. Never throws.</summary>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "The one place that reads the coarse clock.")]
    internal long NowMs => _isSystem ? Environment.TickCount64 : NowMsFromProvider();

    private long NowMsFromProvider()
    {
        long now = NowFromProvider();
        return _ticksPerMs > 0 && now >= 0 ? now / _ticksPerMs : ToMs(now, _frequency); // the first is the second, for the usual frequencies
    }

    /// <summary>A fine reading, in ticks of <see cref="ElapsedSince"/>. Never throws.</summary>
    internal long Timestamp => _isSystem ? _provider.GetTimestamp() : NowFromProvider();

    /// <summary>The time since a fine reading.</summary>
    internal TimeSpan ElapsedSince(long timestamp) => new((long)((Int128)(Timestamp - timestamp) * TimeSpan.TicksPerSecond / _frequency));

    /// <summary>The timestamp of the user's provider, made to keep what one of a monotonic clock keeps: when it throws, time stands still; when it goes back,
    /// time
    /// goes on from where it was.</summary>
    private long NowFromProvider()
    {
        ProviderLine line = Volatile.Read(ref _line);
        long last = Volatile.Read(ref line.Last); // acquire, and before the provider is asked: what is less than this has gone back
        long now;
        try
        {
            now = _provider.GetTimestamp();
        }
        catch (Exception error)
        {
            Safely.Report("time provider", error);
            return last == long.MinValue ? 0 : last + line.Lead;
        }

        if (now < last)
        {
            // A jump back. Of those who see it at once one begins the new line, and the others take it from there.
            ProviderLine next = new(line.Lead + (last - now), now);
            ProviderLine found = Interlocked.CompareExchange(ref _line, next, line);
            line = ReferenceEquals(found, line) ? next : found;
        }

        for (long seen = last; seen < now; seen = last)
        {
            last = Interlocked.CompareExchange(ref line.Last, now, seen); // the latest wins
            if (last == seen) break;
        }

        return now + line.Lead;
    }

    /// <summary>One stretch of a user's time in which it did not go back.</summary>
    private sealed class ProviderLine(long lead, long last)
    {
        internal readonly long Lead = lead; // what the jumps back so far make together
        internal long Last = last;
    }

    /// <summary>Whole milliseconds, rounded down: exact for every frequency, and for every timestamp of which they fit into a <see cref="long"/>.</summary>
    internal static long ToMs(long timestamp, long frequency)
    {
        (long seconds, long rest) = Math.DivRem(timestamp, frequency);
        if (rest < 0) (seconds, rest) = (seconds - 1, rest + frequency);
        if (seconds is >= long.MaxValue / 1000 or <= long.MinValue / 1000) return seconds > 0 ? Never - 1 : long.MinValue;
        long ms = frequency <= long.MaxValue / 1000 ? rest * 1000 / frequency : (long)((Int128)rest * 1000 / frequency);
        return (seconds * 1000) + ms;
    }

    /// <summary>A timer whose callback may run code of users. It runs when it is due although the thread pool may have a backlog, delays no other when it
    /// is held up, and keeps no execution context. With a user's provider it is that one's timer.</summary>
    internal ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (!_isSystem) return CreateTimerOfProvider(callback, state, dueTime, period);
        DispatcherTimer timer = new(Dispatcher.System, callback, state, isOurOwn: false);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>As above, not set, for a callback that runs no code of users and does not wait.</summary>
    internal ITimer CreateOwnTimer(TimerCallback callback, object? state) => _isSystem
        ? new DispatcherTimer(Dispatcher.System, callback, state, isOurOwn: true)
        : CreateTimerOfProvider(callback, state, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    private ITimer CreateTimerOfProvider(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        bool flows = !ExecutionContext.IsFlowSuppressed();
        if (flows) ExecutionContext.SuppressFlow();
        try
        {
            return _time.CreateTimer(callback, state, dueTime, period);
        }
        finally
        {
            if (flows) ExecutionContext.RestoreFlow();
        }
    }

    /// <summary>Lets something that may run code of users happen soon, on another stack: the end of a source, what goes on after a wait.</summary>
    internal void Post(IThreadPoolWorkItem work) => Post(work, NowMs);

    /// <param name="work">What is to happen.</param>
    /// <param name="dueMs">When it was due.</param>
    internal void Post(IThreadPoolWorkItem work, long dueMs)
    {
        if (_isSystem) Dispatcher.System.Post(work, dueMs);
        else Hop(work);
    }

    /// <summary>Lets something happen on another stack that has no due time: on the thread pool, in its turn.</summary>
    internal void Hop(IThreadPoolWorkItem work)
    {
        if (_provider is IContinuationRunner runner) runner.Enqueue(work);
        else ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: true);
    }

    /// <summary>A moment that lies <paramref name="span"/> after <paramref name="nowMs"/>, rounded up, without overflow.</summary>
    internal static long After(long nowMs, TimeSpan span)
    {
        long ms = ToMs(span);
        return ms >= Never - Math.Max(nowMs, 0) ? Never : nowMs + ms;
    }

    /// <summary>Whole milliseconds, rounded up so that a wait is never short; infinite and enormous spans are <see cref="Never"/>.</summary>
    internal static long ToMs(TimeSpan span)
    {
        if (span == Timeout.InfiniteTimeSpan || span == TimeSpan.MaxValue) return Never;
        long ticks = span.Ticks;
        return ticks <= 0 ? 0 : ((ticks - 1) / TimeSpan.TicksPerMillisecond) + 1;
    }
}
