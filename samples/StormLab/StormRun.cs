using System.Globalization;
using System.Text;
using Resilience.Events;
using Resilience.Testing;

namespace Resilience.StormLab;

/// <summary>One second of a run.</summary>
/// <param name="Second">When it began.</param>
/// <param name="Started">Calls that began.</param>
/// <param name="Succeeded">Calls that ended well.</param>
/// <param name="Failed">Calls that ended with an error or a timeout.</param>
/// <param name="Rejected">Calls that a policy of the client rejected.</param>
/// <param name="Attempts">Requests that reached the service.</param>
/// <param name="Abandoned">Requests that the service finished after their callers had given up.</param>
/// <param name="Waiting">The most requests that waited at the service.</param>
/// <param name="P50">Half of the calls that ended well took no longer, in milliseconds; NaN without any.</param>
/// <param name="P99">99 of 100 took no longer.</param>
/// <param name="Open">How many clients' circuits were open, on the average of the second.</param>
/// <param name="HalfOpen">How many were half open.</param>
public sealed record StormSecond(
    int Second, long Started, long Succeeded, long Failed, long Rejected, long Attempts, long Abandoned, int Waiting, double P50, double P99,
    double Open, double HalfOpen);

/// <summary>Numbers of one stretch of a run. Rates are per second.</summary>
public sealed record Stretch(
    double Calls, double Goodput, double Load, double Rejected, double Failed, double Abandoned, double SuccessShare, TimeSpan P50, TimeSpan P99)
{
    /// <summary>Requests for each call.</summary>
    public double Amplification => Calls == 0 ? 0 : Load / Calls;
}

/// <summary>What became of one side: the report of the simulation, second by second, and what can be read from it.</summary>
public sealed class StormRun
{
    /// <summary>Seconds over which the peak of the amplification is taken.</summary>
    internal const int PeakSpan = 5;

    internal StormRun(StormPlan plan, string side, SimulationReport report, string described)
    {
        Plan = plan;
        Side = side;
        Report = report;
        Described = described;
        Settings = FleetSettings.Of(plan.Settings, side);
        Seconds = [.. Read(report, (int)Math.Ceiling(plan.Duration.TotalSeconds))];
        Calm = Between(0, plan.Scenario.Begins);
        Trouble = Between(plan.Scenario.Begins, plan.Scenario.Ends);
        After = Between(plan.Scenario.Ends, plan.Duration.TotalSeconds);
        LastHalfMinute = Between(Math.Max(plan.Scenario.Ends, plan.Duration.TotalSeconds - 30), plan.Duration.TotalSeconds);
    }

    /// <summary>What was asked for.</summary>
    public StormPlan Plan { get; }

    /// <summary>Which side.</summary>
    public string Side { get; }

    /// <summary>Everything that the simulation counted.</summary>
    public SimulationReport Report { get; }

    /// <summary>The chain of the pipelines.</summary>
    public string Described { get; }

    /// <summary>What the pipelines were made from.</summary>
    public SideOptions Settings { get; }

    /// <summary>The run, second by second, while load came in.</summary>
    public IReadOnlyList<StormSecond> Seconds { get; }

    /// <summary>Before the trouble.</summary>
    public Stretch Calm { get; }

    /// <summary>While it lasts.</summary>
    public Stretch Trouble { get; }

    /// <summary>From its end to the end of the run.</summary>
    public Stretch After { get; }

    /// <summary>The last thirty seconds after the trouble.</summary>
    public Stretch LastHalfMinute { get; }

    /// <summary>The time from the end of the trouble until at least 99 % of the calls end well in every second that follows. Null: not in this run
    /// (a bad second among the last ten counts as not).</summary>
    public TimeSpan? Recovery
    {
        get
        {
            StormSecond? lastBad = Seconds.LastOrDefault(s => s.Second >= Plan.Scenario.Ends && s.Succeeded < 0.99 * (s.Succeeded + s.Failed + s.Rejected));
            if (lastBad is null) return TimeSpan.Zero;
            double end = lastBad.Second + 1;
            return end > Plan.Duration.TotalSeconds - 10 ? null : TimeSpan.FromSeconds(end - Plan.Scenario.Ends);
        }
    }

    /// <summary>The most requests for each call in any <see cref="PeakSpan"/> seconds, and when they began.</summary>
    public (double Amplification, int Second) Peak => Seconds.Count < PeakSpan
        ? (Report.Amplification, 0)
        : Enumerable.Range(0, Seconds.Count - PeakSpan + 1).Select(i => (Window(i), i)).MaxBy(w => w.Item1);

    /// <summary>The most calls of the fleet that were under way at once.</summary>
    public int MaxInFlight => Report.Timeline.Max(i => i.MaxInFlight);

    /// <summary>How often circuits opened, those of all clients together.</summary>
    public int Openings => Report.CircuitChanges.Count(c => c.Change.To == CircuitState.Open);

    /// <summary>The second of the first opening; null if no circuit opened.</summary>
    public double? FirstOpening => Report.CircuitChanges.Where(c => c.Change.To == CircuitState.Open).Select(c => (double?)c.At.TotalSeconds).FirstOrDefault();

    /// <summary>The series, for a spreadsheet.</summary>
    public string ToCsv()
    {
        StringBuilder text = new("second,started,succeeded,failed,rejected,attempts,abandoned,waiting,p50_ms,p99_ms,open,half_open\n");
        foreach (StormSecond s in Seconds)
        {
            text.Append(CultureInfo.InvariantCulture, $"{s.Second},{s.Started},{s.Succeeded},{s.Failed},{s.Rejected},{s.Attempts},{s.Abandoned},{s.Waiting},");
            text.Append(CultureInfo.InvariantCulture, $"{Milliseconds(s.P50)},{Milliseconds(s.P99)},{s.Open:0.###},{s.HalfOpen:0.###}\n");
        }

        return text.ToString();

        static string Milliseconds(double value) => double.IsNaN(value) ? "" : value.ToString("0.#", CultureInfo.InvariantCulture);
    }

    private double Window(int from)
    {
        IEnumerable<StormSecond> span = Seconds.Skip(from).Take(PeakSpan);
        long started = span.Sum(s => s.Started);
        return started == 0 ? 0 : (double)span.Sum(s => s.Attempts) / started;
    }

    private Stretch Between(double from, double until)
    {
        StormSecond[] part = [.. Seconds.Where(s => s.Second >= from && s.Second < until)];
        double length = Math.Max(1, part.Length);
        long good = part.Sum(s => s.Succeeded), ended = part.Sum(s => s.Succeeded + s.Failed + s.Rejected);
        LatencyHistogram latencies = Report.LatenciesBetween(TimeSpan.FromSeconds(from), TimeSpan.FromSeconds(until));
        return new(
            part.Sum(s => s.Started) / length, good / length, part.Sum(s => s.Attempts) / length, part.Sum(s => s.Rejected) / length,
            part.Sum(s => s.Failed) / length,
            part.Sum(s => s.Abandoned) / length, ended == 0 ? 0 : (double)good / ended, latencies.Quantile(0.5), latencies.Quantile(0.99));
    }

    private static IEnumerable<StormSecond> Read(SimulationReport report, int seconds)
    {
        double[] open = Circuits(report, CircuitState.Open, seconds), halfOpen = Circuits(report, CircuitState.HalfOpen, seconds);
        for (int s = 0; s < seconds; s++)
        {
            if (s >= report.Timeline.Count)
            {
                yield return new(s, 0, 0, 0, 0, 0, 0, 0, double.NaN, double.NaN, open[s], halfOpen[s]);
                continue;
            }

            SimulationInterval i = report.Timeline[s];
            bool any = i.Latencies.Count > 0;
            yield return new(s, i.Started, i.Succeeded, i.Failed, i.Rejected, i.Attempts, i.Abandoned, i.MaxWaiting,
                any ? i.Latencies.Quantile(0.5).TotalMilliseconds : double.NaN, any ? i.Latencies.Quantile(0.99).TotalMilliseconds : double.NaN,
                    open[s], halfOpen[s]);
        }
    }

    /// <summary>How many circuits were in a state, averaged over each second.</summary>
    private static double[] Circuits(SimulationReport report, CircuitState state, int seconds)
    {
        double[] sums = new double[seconds];
        foreach (IGrouping<string, (TimeSpan At, CircuitChanged Change)> client in report.CircuitChanges.GroupBy(c => c.Change.PipelineName))
        {
            double since = 0;
            CircuitState now = CircuitState.Closed;
            foreach ((TimeSpan at, CircuitChanged change) in client)
            {
                if (now == state) Fill(since, at.TotalSeconds);
                (since, now) = (at.TotalSeconds, change.To);
            }

            if (now == state) Fill(since, seconds);
        }

        return sums;

        void Fill(double from, double until)
        {
            for (int s = (int)from; s < seconds && s < until; s++) sums[s] += Math.Min(until, s + 1) - Math.Max(from, s);
        }
    }
}
