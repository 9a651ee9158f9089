using Resilience.Overload;

namespace Resilience;

/// <summary>Reads the signals ten times a second, as long as it is not disposed of.</summary>
internal sealed class OverloadSampler : IDisposable
{
    internal static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly Clock _clock;
    private readonly SignalSource[] _sources;
    private readonly OverloadRange? _poolDelay;
    private readonly Action<long> _onRead;
    private readonly ITimer _timer;
    private State _state;
    private int _isReading;

    /// <summary>Reads until it is disposed of.</summary>
    /// <param name="options">Which signals.</param>
    /// <param name="clock">Time.</param>
    /// <param name="readings">The process.</param>
    /// <param name="onRead">Called after each reading, with the time in milliseconds.</param>
    internal OverloadSampler(LoadShedderOptions options, Clock clock, ProcessReadings readings, Action<long> onRead)
    {
        _clock = clock;
        _onRead = onRead;
        _poolDelay = options.ThreadPoolDelay;
        _sources = [.. SourcesOf(options, clock, readings)];
        _state = new(clock.NowMs, OverloadLevel.None);
        _timer = clock.CreateTimer(static s => ((OverloadSampler)s!).Read(), this, Interval, Interval);
    }

    internal IReadOnlyList<SignalSource> Sources => _sources;

    /// <summary>The greatest level of all signals. Readings that do not come are a sign by themselves: the timer waits for a thread of the pool too.</summary>
    internal OverloadLevel Level
    {
        get
        {
            State seen = Volatile.Read(ref _state); // acquire: pairs with the write in Read
            if (_poolDelay is not { } range) return seen.Level;
            double overdueMs = _clock.NowMs - seen.AtMs - Interval.TotalMilliseconds;
            double level = range.LevelOf(overdueMs);
            return level > seen.Level.Level ? new(level, ShedReason.ThreadPool, Names.ThreadPool, overdueMs) : seen.Level;
        }
    }

    public void Dispose() => Safely.Dispose(_timer);

    /// <summary>One reading at a time: a signal that takes longer than the interval costs readings, not threads.</summary>
    private void Read()
    {
        if (Interlocked.Exchange(ref _isReading, 1) != 0) return;
        try
        {
            OverloadLevel greatest = OverloadLevel.None;
            foreach (SignalSource source in _sources)
            {
                source.Read();
                if (source.Level is var level && level.Level > greatest.Level) greatest = level;
            }

            long now = _clock.NowMs;
            Volatile.Write(ref _state, new(now, greatest)); // release: whole before it can be seen
            _onRead(now);
        }
        finally
        {
            Volatile.Write(ref _isReading, 0); // release: the next reader sees the means
        }
    }

    private static IEnumerable<SignalSource> SourcesOf(LoadShedderOptions options, Clock clock, ProcessReadings readings)
    {
        if (options.Cpu is { } cpu)
            yield return new(new(Names.Cpu, new ProcessorUse(readings, clock).Read, cpu) { Smoothing = 0.3 }, ShedReason.Cpu);
        if (options.ThreadPoolDelay is { } delay) yield return new(new(Names.ThreadPool, new PoolDelay(readings, clock).Read, delay), ShedReason.ThreadPool);
        if (options.Memory is { } memory) yield return new(new(Names.Memory, () => readings.MemoryLoad, memory) { Smoothing = 1 }, ShedReason.Memory);
        foreach (OverloadSignal signal in options.Signals) yield return new(signal, ShedReason.Signal);
    }

    internal static class Names
    {
        internal const string Cpu = "cpu";
        internal const string ThreadPool = "thread-pool";
        internal const string Memory = "memory";
    }

    private sealed record State(long AtMs, OverloadLevel Level);
}
