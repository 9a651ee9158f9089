namespace Resilience.Overload;

/// <summary>Whether an endpoint is used, in one word. Pure: it is told what time it is.</summary>
/// <remarks>
/// <code>
///  63  62 61 ──── 56 55 ── 54   53    52 ── 48 47 ───────────────────── 0
/// │ state │  level  │  good  │ out  │  unused │ ms                        │
///
///         failures                 until has passed           three succeeded              ten seconds
///  In ───────────────► Ejected ─────────────────► Probing ─────────────────────► Ramping ─────────────► In
///         level + 1       ▲     one call at a time    │ one failed                  │ failures
///                         └─────── level + 1 ─────────┴─────────────────────────────┘
///
///  Ejected: ms = until          Probing: ms = when the probe began, out = it is under way, good = how many succeeded
///  Ramping: ms = since          level: how often it was ejected lately; one less for each healthy interval
/// </code>
/// </remarks>
internal readonly record struct EndpointHealth(long Word)
{
    internal const long RampMs = 10_000;
    internal const int Probes = 3;
    private const double FirstWeight = 0.1;
    private const int MaxLevel = 63;
    private const long MsMask = (1L << 48) - 1;

    internal static EndpointHealth Well => default;

    internal EndpointState State => (EndpointState)(Word >>> 62);

    internal int Level => (int)(Word >>> 56) & MaxLevel;

    internal int Good => (int)(Word >>> 54) & 3;

    internal bool IsProbeOut => (Word & (1L << 53)) != 0;

    internal long Ms => Word & MsMask;

    /// <summary>Whether its place is one of those that are left out.</summary>
    internal bool IsOut => State is EndpointState.Ejected or EndpointState.Probing;

    internal static EndpointHealth Of(EndpointState state, int level, int good, bool isProbeOut, long ms) =>
        new(((long)state << 62) | ((long)Math.Min(level, MaxLevel) << 56) | ((long)good << 54) | (isProbeOut ? 1L << 53 : 0) | (ms & MsMask));

    /// <summary>It is left out: n times as long the nth time.</summary>
    internal EndpointHealth Ejected(long nowMs, long baseMs, long maxMs)
    {
        int level = Math.Min(Level + 1, MaxLevel);
        return Of(EndpointState.Ejected, level, 0, false, nowMs + Math.Min(baseMs * level, maxMs));
    }

    /// <summary>Whether a call may go to it as a probe. One that has not ended within the lease is given up.</summary>
    internal bool MayProbe(long nowMs, long leaseMs) => State switch
    {
        EndpointState.Ejected => nowMs >= Ms,
        EndpointState.Probing => !IsProbeOut || nowMs >= Ms + leaseMs,
        _ => false,
    };

    /// <summary>A probe goes out.</summary>
    internal EndpointHealth ProbeBegan(long nowMs) => Of(EndpointState.Probing, Level, State == EndpointState.Probing ? Good : 0, true, nowMs);

    /// <summary>A probe has succeeded.</summary>
    internal EndpointHealth ProbeSucceeded(long nowMs) => Good + 1 >= Probes
        ? Of(EndpointState.Ramping, Level, 0, false, nowMs)
        : Of(EndpointState.Probing, Level, Good + 1, false, nowMs);

    /// <summary>A probe has ended and says nothing.</summary>
    internal EndpointHealth ProbeVoid(long nowMs) => Of(EndpointState.Probing, Level, Good, false, nowMs);

    /// <summary>The share of its usual calls that it gets.</summary>
    internal double Weight(long nowMs) => State switch
    {
        EndpointState.In => 1,
        EndpointState.Ramping => FirstWeight + ((1 - FirstWeight) * Math.Clamp((nowMs - Ms) / (double)RampMs, 0, 1)),
        _ => 0,
    };

    /// <summary>Whether the ramp is over.</summary>
    internal bool IsRamped(long nowMs) => State == EndpointState.Ramping && nowMs >= Ms + RampMs;

    /// <summary>An interval in which it was well.</summary>
    internal EndpointHealth Recovered(long nowMs) => State switch
    {
        EndpointState.In => Of(EndpointState.In, Math.Max(0, Level - 1), 0, false, 0),
        EndpointState.Ramping => Of(IsRamped(nowMs) ? EndpointState.In : EndpointState.Ramping, Math.Max(0, Level - 1), 0, false, IsRamped(nowMs) ? 0 : Ms),
        _ => this,
    };
}
