using Resilience.Overload;

namespace Resilience.Experiments;

/// <summary>What became of an experiment: second by second, and as a whole.</summary>
internal sealed class RunResult(int seconds)
{
    internal const int Classes = 4;

    internal double[] Arrived { get; } = new double[seconds];

    internal double[] Served { get; } = new double[seconds];

    internal double[] Rejected { get; } = new double[seconds];

    /// <summary>The limit at the end of each second.</summary>
    internal double[] Limits { get; } = new double[seconds];

    /// <summary>The mean of the limit that arrivals met, in each second: probes are in it for as long as they lasted.</summary>
    internal double[] MeanLimits { get; } = new double[seconds];

    internal double[,] ArrivedOf { get; } = new double[seconds, Classes];

    internal double[,] ServedOf { get; } = new double[seconds, Classes];

    /// <summary>From being let in to the end, of calls that began in the last fifth.</summary>
    internal Latencies Handler { get; } = new();

    /// <summary>Of the whole run.</summary>
    internal Latencies HandlerInAll { get; } = new();

    /// <summary>From the arrival to the end, of the whole run.</summary>
    internal Latencies WithWaiting { get; } = new();

    internal int Seconds => seconds;

    internal static double Sum(double[] series, double from, double until) => series.AsSpan((int)from, (int)until - (int)from).ToArray().Sum();

    internal double Mean(double[] series, double from, double until) => Sum(series, from, Math.Min(until, seconds)) / (Math.Min(until, seconds) - from);

    internal double Goodput(double from, double until) => Mean(Served, from, until);

    /// <summary>The share of rejected calls, 0 to 1, in a stretch.</summary>
    internal double RejectedShare(double from, double until) =>
        Sum(Rejected, from, Math.Min(until, seconds)) / Math.Max(1, Sum(Arrived, from, Math.Min(until, seconds)));

    internal double Tail => seconds * 0.8;

    /// <summary>The share of the calls of a class that were served, from a moment on.</summary>
    internal double ServedShare(Criticality criticality, double from)
    {
        double arrived = 0, served = 0;
        for (int second = (int)from; second < seconds; second++)
        {
            arrived += ArrivedOf[second, (int)criticality];
            served += ServedOf[second, (int)criticality];
        }

        return arrived == 0 ? 0 : served / arrived;
    }

    /// <summary>How the limit went under constant load. The quantiles leave out probes, which are short.</summary>
    /// <param name="servers">How many are served at once: a limit that goes far beyond them has drifted.</param>
    internal Course CourseFor(int servers)
    {
        double early = Mean(Limits, seconds * 0.05, seconds * 0.1), late = Mean(Limits, Tail, seconds);
        if (late > 1.5 * early && late > 2.5 * servers) return Course.Drifts;
        double[] rest = [.. Limits.Skip(seconds / 10).Order()];
        return rest[(int)(rest.Length * 0.9)] > 2.5 * Math.Max(1, rest[(int)(rest.Length * 0.1)]) ? Course.Oscillates : Course.Settles;
    }
}

/// <summary>How a limit went in a run of constant load.</summary>
internal enum Course
{
    Settles,
    Drifts,
    Oscillates,
}
