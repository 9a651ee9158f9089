using System.Diagnostics.CodeAnalysis;

namespace Resilience;

/// <summary>The monotonic clock of the policies, in whole milliseconds since an arbitrary moment. Never the wall clock.</summary>
/// <remarks>
/// A precise reading costs 25 ns where a compare-and-swap costs 2, so on the system's time we read the kernel's coarse
/// monotonic clock, which lags by at most one of its ticks (1–4 ms on Linux, 16 ms on Windows). Every deadline of the library
/// is a number on this one line, so readings are always compared with readings of the same kind. With a
/// <see cref="TimeProvider"/> of the user's, its timestamp is used, exact to the millisecond.
/// </remarks>
internal sealed class Clock
{
    /// <summary>"No deadline".</summary>
    internal const long Never = long.MaxValue;

    private readonly TimeProvider _provider;
    private readonly bool _isSystem;
    private readonly long _ticksPerMillisecond; // of the user's provider; 0 when it is slower than 1 kHz

    internal static Clock System { get; } = new(TimeProvider.System);

    private Clock(TimeProvider provider)
    {
        _provider = provider;
        _isSystem = ReferenceEquals(provider, TimeProvider.System);
        _ticksPerMillisecond = provider.TimestampFrequency / 1000;
    }

    internal static Clock For(TimeProvider provider) => ReferenceEquals(provider, TimeProvider.System) ? System : new(provider);

    internal TimeProvider Provider => _provider;

    internal bool IsSystem => _isSystem;

    /// <summary>Milliseconds on the monotonic line.</summary>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "The one place that reads the coarse clock.")]
    internal long NowMs => _isSystem ? Environment.TickCount64 : NowFromProvider();

    private long NowFromProvider() => _ticksPerMillisecond > 0
        ? _provider.GetTimestamp() / _ticksPerMillisecond
        : _provider.GetTimestamp() * 1000 / _provider.TimestampFrequency;

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
