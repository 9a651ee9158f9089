using System.Globalization;
using System.Text;
using Resilience.Events;
using Resilience.Overload;

namespace Resilience.Testing;

/// <summary>What became of a simulated world.</summary>
public sealed record SimulationReport
{
    /// <summary>The seed: the same one tells the same story.</summary>
    public required long Seed { get; init; }

    /// <summary>A hash over every note and its moment: equal stories have equal fingerprints.</summary>
    public required ulong Fingerprint { get; init; }

    /// <summary>How long load came in.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>When the last call had ended.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The length of the intervals of <see cref="Timeline"/>.</summary>
    public required TimeSpan Interval { get; init; }

    /// <summary>Calls that were begun.</summary>
    public required long Started { get; init; }

    /// <summary>Calls that ended well.</summary>
    public required long Succeeded { get; init; }

    /// <summary>Calls that ended with an error of the dependency or a timeout.</summary>
    public required long Failed { get; init; }

    /// <summary>Calls that a policy rejected (an open circuit, a full limit and the like).</summary>
    public required long Rejected { get; init; }

    /// <summary>Requests that reached a dependency: first attempts and retries.</summary>
    public required long Attempts { get; init; }

    /// <summary>Requests whose operation was done, whether or not the reply arrived.</summary>
    public required long Operations { get; init; }

    /// <summary>Requests that were served although their callers had given up: work of the dependencies that was lost.</summary>
    public required long Abandoned { get; init; }

    /// <summary>Events of the pipelines that were attached.</summary>
    public required long Events { get; init; }

    /// <summary>Calls that have not ended: each of them hangs.</summary>
    public required int Stuck { get; init; }

    /// <summary>Timers that were still set at the end: more than a few that you can name are a leak.</summary>
    public required int TimersLeft { get; init; }

    /// <summary>True when the order of everything followed from the seed. False when code left the thread of the simulation in a process whose
    /// thread pool has several workers: then another run may differ in the order of simultaneous steps.</summary>
    public required bool IsExact { get; init; }

    /// <summary>How often calls ended how: <c>success</c>, or the name of the exception's type.</summary>
    public required IReadOnlyDictionary<string, long> Outcomes { get; init; }

    /// <summary>How long the calls took that ended well, from the first attempt to the answer.</summary>
    public required LatencyHistogram Latencies { get; init; }

    /// <summary>The run, interval by interval. Intervals in which nothing happened are there too.</summary>
    public required IReadOnlyList<SimulationInterval> Timeline { get; init; }

    /// <summary>What the circuit breakers of attached pipelines did, and when.</summary>
    public required IReadOnlyList<(TimeSpan At, CircuitChanged Change)> CircuitChanges { get; init; }

    /// <summary>What each gauge said at the end of each interval, by name (<see cref="Simulation.AddGauge"/>).</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<double>> Gauges { get; init; } = new Dictionary<string, IReadOnlyList<double>>();

    internal ClassCounts Calls { get; init; } = new();

    /// <summary>Every note; empty unless the trace is kept.</summary>
    public required IReadOnlyList<string> Trace { get; init; }

    /// <summary>Attempts for each call: 1 without retries; what a dependency has to bear more than it was meant to.</summary>
    public double Amplification => Started == 0 ? 0 : (double)Attempts / Started;

    /// <summary>Calls of one class of criticality.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="criticality"/> is undefined.</exception>
    public CallCounts CallsOf(Criticality criticality) => Calls.Of(criticality);

    /// <summary>The share of the calls that ended well, in one stretch of the run.</summary>
    /// <param name="from">Virtual time since the simulation began.</param>
    /// <param name="until">The end of the stretch.</param>
    public double SuccessShare(TimeSpan from, TimeSpan until)
    {
        SimulationInterval[] stretch = Stretch(from, until);
        long ended = stretch.Sum(i => i.Succeeded + i.Failed + i.Rejected);
        return ended == 0 ? 0 : (double)stretch.Sum(i => i.Succeeded) / ended;
    }

    /// <summary>How long the calls took that ended well in one stretch of the run.</summary>
    /// <param name="from">Virtual time since the simulation began.</param>
    /// <param name="until">The end of the stretch.</param>
    /// <returns>A histogram of its own: nothing counted when no call ended well.</returns>
    public LatencyHistogram LatenciesBetween(TimeSpan from, TimeSpan until)
    {
        LatencyHistogram together = new();
        foreach (SimulationInterval interval in Stretch(from, until)) together.Add(interval.Latencies);
        return together;
    }

    /// <summary>A table for people.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        Line($"seed {Seed}: {Duration:c} in virtual time, fingerprint {Fingerprint:x16}{(IsExact ? "" : " (not exact)")}");
        Line($"calls        {Started,12:N0}");
        Line($"  succeeded  {Succeeded,12:N0}  {Share(Succeeded):P2}");
        Line($"  rejected    {Rejected,12:N0}  {Share(Rejected):P2}");
        Line($"  failed     {Failed,12:N0}  {Share(Failed):P2}");
        Line($"  stuck      {Stuck,12:N0}");
        Line($"attempts     {Attempts,12:N0}  {Amplification:0.00} for each call");
        Line($"latency      p50 {Milliseconds(0.5)}, p99 {Milliseconds(0.99)}, longest {Latencies.Max.TotalMilliseconds:N0} ms");
        foreach ((string outcome, long count) in Outcomes.Where(e => e.Key != "success").OrderByDescending(e => e.Value)) Line($"  {outcome}: {count:N0}");
        if (CircuitChanges.Count > 0) Line($"circuit changes: {CircuitChanges.Count}, the last at {CircuitChanges[^1].At:c}: {CircuitChanges[^1].Change.To}");
        return text.ToString();

        void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private SimulationInterval[] Stretch(TimeSpan from, TimeSpan until) => [.. Timeline.Where(i => i.Start >= from && i.Start < until)];

    private double Share(long part) => Started == 0 ? 0 : (double)part / Started;

    private string Milliseconds(double share) => string.Create(CultureInfo.InvariantCulture, $"{Latencies.Quantile(share).TotalMilliseconds:N0} ms");
}
