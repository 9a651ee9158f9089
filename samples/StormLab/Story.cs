using System.Globalization;

namespace Resilience.StormLab;

/// <summary>The run in words. Every number comes from the series.</summary>
public static class Story
{
    /// <summary>The sentence that stands at the top.</summary>
    public static string Verdict(StormRun naive, StormRun configured) => (naive.Recovery, configured.Recovery) switch
    {
        (null, { } there) => $"{Capital(Name(naive))}, the fleet never recovers. {Capital(Name(configured))}, it is well again {After(there)}.",
        ({ } here, { } there) when here == there => $"Both recover {After(here)}.",
        ({ } here, { } there) => $"{Capital(Name(naive))}, the fleet is well again {After(here)}; {Name(configured)}, {After(there)}.",
        ({ } here, null) => $"{Capital(Name(naive))}, the fleet is well again {After(here)}. {Capital(Name(configured))}, it never recovers within this run.",
        _ => "Neither side recovers within this run.",
    };

    /// <summary>The story, paragraph by paragraph.</summary>
    public static IEnumerable<string> Tell(StormRun naive, StormRun configured)
    {
        StormPlan plan = naive.Plan;
        string waiting = plan.Queue is { } queue ? Text($"{queue} may wait") : "any number may wait";
        yield return Text($"{plan.Clients} clients make {plan.Load:0.#} calls a second together. The service has {plan.Places} places and takes ")
            + Text($"{Span(plan.Latency)} for a request, so it can ")
            + Text($"serve {plan.Places / plan.Latency.TotalSeconds:0.#} a second; {waiting}. Like a real one it does not notice that a caller has given up. ")
            + Text($"{plan.Scenario.Story} That begins at {plan.Scenario.Begins:0.#} s and is over at {plan.Scenario.Ends:0.#} s.");
        yield return Side(naive);
        yield return Side(configured);
        if (naive.Recovery is null && naive.LastHalfMinute.Load > plan.Capacity)
        {
            yield return Text($"{Capital(Name(naive))}, the trouble outlives its cause: {naive.LastHalfMinute.Load:0} requests a second, most of ")
                + "them retries, come to a service that can serve "
                + Text($"{plan.Capacity:0.#}, so each waits longer than its caller, and is tried again. This is called a metastable failure; only ")
                + "less load ends it.";
        }
    }

    /// <summary>The table of numbers: a name, and a value for each side.</summary>
    public static IEnumerable<(string Name, string Naive, string Configured)> Table(StormRun naive, StormRun configured)
    {
        yield return Row("recovery after the trouble", r => r.Recovery is { } time ? Text($"{time.TotalSeconds:0} s") : "never");
        yield return Row("requests for each call, at the peak", r => Text($"{r.Peak.Amplification:0.00} (at {r.Peak.Second} s)"));
        yield return Row("requests a second in the trouble", r => Text($"{r.Trouble.Load:N0}"));
        yield return Row("requests a second in the last half minute", r => Text($"{r.LastHalfMinute.Load:N0}"));
        yield return Row("goodput before, calls a second", r => Text($"{r.Calm.Goodput:N0}"));
        yield return Row("goodput in the trouble", r => Text($"{r.Trouble.Goodput:N0}"));
        yield return Row("goodput after", r => Text($"{r.After.Goodput:N0}"));
        yield return Row("calls that ended well, of all", r => Text($"{(double)r.Report.Succeeded / Math.Max(1, r.Report.Started):P1}"));
        yield return Row("calls rejected by our own policies", r => Text($"{r.Report.Rejected:N0}"));
        yield return Row("calls that failed", r => Text($"{r.Report.Failed:N0}"));
        yield return Row("abandoned requests served", r => Text($"{r.Report.Abandoned:N0}"));
        yield return Row("most calls under way at once", r => Text($"{r.MaxInFlight:N0}"));
        yield return Row("latency before, p50 / p99", r => Latency(r.Calm));
        yield return Row("latency in the trouble, p50 / p99", r => Latency(r.Trouble));
        yield return Row("latency after, p50 / p99", r => Latency(r.After));
        yield return Row("circuits opened", r => r.Settings.CircuitBreaker is null ? "no breaker" : Text($"{r.Openings} times"));

        (string Name, string Naive, string Configured) Row(string name, Func<StormRun, string> value) => (name, value(naive), value(configured));
    }

    internal static string Span(TimeSpan span) =>
        span < TimeSpan.FromSeconds(1) ? Text($"{span.TotalMilliseconds:0.#} ms") : Text($"{span.TotalSeconds:0.##} s");

    internal static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Side(StormRun run)
    {
        string text = Text($"{Capital(Name(run))}: up to {run.Peak.Amplification:0.0} requests reach the service for each call (at ")
            + Text($"{run.Peak.Second} s). {run.Trouble.SuccessShare:P0} of the calls end well in the ")
            + Text($"trouble and {run.After.SuccessShare:P0} after it. ");
        if (run.Report.Rejected > 0)
        {
            text += Text($"{run.Report.Rejected:N0} calls are rejected by the client itself instead of being sent")
                + (run.FirstOpening is { } first ? Text($"; the first circuit opens at {first:0.0} s, {run.Openings} openings in all. ") : ". ");
        }

        if (run.Report.Abandoned > 0)
        {
            text += Text($"The service finishes {run.Report.Abandoned:N0} requests whose callers had given up, ")
                + Text($"{(double)run.Report.Abandoned / Math.Max(1, run.Report.Attempts):P0} of all that reached it. ");
        }

        return text + (run.Recovery is { } time ? Text($"It is well again {After(time)}.") : "It does not recover within the run.");
    }

    private static string After(TimeSpan time) => time == TimeSpan.Zero ? "as soon as the trouble is over"
        : Text($"{time.TotalSeconds:0} s after the trouble is over");

    private static string Name(StormRun run) => run.Plan.NameOf(run.Side);

    private static string Latency(Stretch stretch) => stretch.P99 == TimeSpan.Zero ? "no successes" : $"{Span(stretch.P50)} / {Span(stretch.P99)}";

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
