using Resilience.Experiments;
using Resilience.Overload;

namespace Resilience.Tests.Overload;

/// <summary>What a limit has to reach: each bar runs its scenario for one seed and says what is wrong, or null.</summary>
internal static class Bars
{
    private const double Capacity = Scenarios.Capacity;
    private const double MaxWaitMs = 100;

    internal static readonly Criticality[] Classes = [Criticality.CriticalPlus, Criticality.Critical, Criticality.SheddablePlus, Criticality.Sheddable];

    /// <summary>Three times the load for long: nearly all capacity is used, and nothing waits for long.</summary>
    internal static string? Triple(Func<EventWorld, Chance, Gate> make, long seed, double seconds, bool isFixed)
    {
        RunResult run = Server.Run(Of(isFixed, seconds), seed, make);
        return CapacityAndLatency(run, isFixed, waitMs: 0) ?? Limits(run);
    }

    /// <summary>The same with the queue, and four classes: the highest is served, the others in their order.</summary>
    internal static string? Priorities(Func<EventWorld, Chance, Gate> make, long seed, double seconds, bool isFixed, double[] classes, double least)
    {
        RunResult run = Server.Run(Of(isFixed, seconds) with { Classes = classes }, seed, make);
        double[] served = [.. Classes.Select(c => run.ServedShare(c, 0))];
        if (served[0] < least) return Say($"{served[0]:P2} of the highest class were served");
        for (int i = 1; i < served.Length; i++)
        {
            if (served[i] > served[i - 1]) return Say($"class {i} was served more than the one above: {served[i]:P2} and {served[i - 1]:P2}");
        }

        return CapacityAndLatency(run, isFixed, MaxWaitMs) ?? Limits(run);
    }

    /// <summary>Half of the capacity goes and comes back, under twice the load.</summary>
    internal static string? Halved(Func<EventWorld, Chance, Gate> make, long seed)
    {
        const int From = 120, Until = 360, End = 480;
        RunResult run = Server.Run(Scenarios.Halved(From, Until, End), seed, make);
        double median = run.Limits[(From + 5)..(From + 15)].Order().ElementAt(5);
        if (median is < 10 or > 20) return Say($"the median limit of the windows 5 to 14 was {median:0.0}");
        double halved = run.Goodput(From + 15, Until), back = run.Goodput(Until + 30, End);
        if (halved < 0.9 * Capacity / 2) return Say($"{halved:0} a second of {Capacity / 2:0}");
        return back < 0.9 * Capacity ? Say($"{back:0} a second after the capacity was back") : null;
    }

    /// <summary>Hardly any load for five minutes, then three times; then less than the capacity.</summary>
    internal static string? Quiet(Func<EventWorld, Chance, Gate> make, long seed)
    {
        const int Again = 420, Less = 540, End = 660;
        RunResult run = Server.Run(Scenarios.Quiet(120, Again, Less, End), seed, make);
        double soon = run.Goodput(Again + 10, Less), rejected = run.RejectedShare(Less + 30, End);
        if (soon < 0.9 * Capacity) return Say($"{soon:0} a second from ten seconds on after the load was back");
        return rejected >= 0.001 ? Say($"{rejected:P2} rejected half a minute after the overload") : null;
    }

    /// <summary>Calls take twice as long from now on, with room for them: that is no overload.</summary>
    internal static string? NewNormal(Func<EventWorld, Chance, Gate> make, long seed)
    {
        const int From = 300, End = 900;
        RunResult run = Server.Run(Scenarios.NewNormal(From, End), seed, make);
        if (run.RejectedShare(0, End) >= 0.005) return Say($"{run.RejectedShare(0, End):P2} rejected");
        double late = RunResult.Sum(run.Rejected, From + 60, End);
        return late > 0 ? Say($"{late:0} rejected later than a minute after the change") : null;
    }

    internal static string? Bimodal(Func<EventWorld, Chance, Gate> make, long seed)
    {
        // In 8 of 200 seeds a burst of slow calls fills all servers, and up to 16 of 144,000 calls are rejected then; in the others none is.
        double rejected = Server.Run(Scenarios.Bimodal(600), seed, make).RejectedShare(0, 600);
        return rejected > 0.0002 ? Say($"{rejected:P3} rejected at 41 % load") : null;
    }

    internal static string? TwoASecond(Func<EventWorld, Chance, Gate> make, long seed)
    {
        RunResult run = Server.Run(Scenarios.TwoASecond(3600), seed, make);
        double rejected = RunResult.Sum(run.Rejected, 0, 3600);
        if (rejected > 0) return Say($"{rejected:0} rejected at two calls a second");
        return run.Limits.Min() < 20 ? Say($"the limit fell to {run.Limits.Min():0}") : null;
    }

    /// <summary>Nine tenths of the load, with the queue: hardly anything is rejected.</summary>
    internal static string? NearlyFull(Func<EventWorld, Chance, Gate> make, long seed, double seconds)
    {
        RunResult run = Server.Run(Scenarios.AtLoad(0.9, seconds) with { Classes = Scenarios.UsualClasses }, seed, make);
        double rejected = run.RejectedShare(0, seconds);
        if (rejected > 0.015) return Say($"{rejected:P2} rejected");
        foreach (Criticality upper in Classes[..2])
        {
            if (run.ServedShare(upper, 0) < 0.995) return Say($"{run.ServedShare(upper, 0):P2} of {upper} were served");
        }

        return null;
    }

    /// <summary>From a limit of twenty to two hundred servers; and it stays there.</summary>
    internal static string? ManyServers(Func<EventWorld, Chance, Gate> make, long seed)
    {
        RunResult run = Server.Run(Scenarios.OfServers(200, 120), seed, make);
        double soon = run.Goodput(8, 18), later = run.Goodput(18, 120);
        return soon < 0.9 * 4000 || later < 0.9 * 4000 ? Say($"{soon:0} a second after eight seconds, {later:0} later") : null;
    }

    /// <summary>The dependency answers nothing, so all that is known are timeouts of attempts.</summary>
    internal static string? Hanging(Func<EventWorld, Chance, Gate> make, long seed)
    {
        const int From = 120, Until = 300, End = 420;
        RunResult run = Server.Run(Scenarios.Hanging(From, Until, End), seed, make);
        int least = Array.FindIndex(run.Limits, From, l => l <= 4);
        if (least < 0 || least >= Until) return Say($"the limit was still {run.Limits[Until - 1]:0}");
        int windows = Enumerable.Range(From, least - From + 1).Count(t => run.Limits[t] != run.Limits[t - 1]);
        if (windows > 25) return Say($"{windows} windows until the least limit");
        double healed = run.Goodput(Until + 30, End);
        return healed < 0.9 * Capacity ? Say($"{healed:0} a second half a minute after it healed") : null;
    }

    private static Scenario Of(bool isFixed, double seconds) => isFixed ? Scenarios.TripleFixed(seconds) : Scenarios.Triple(seconds);

    private static string? CapacityAndLatency(RunResult run, bool isFixed, double waitMs)
    {
        double goodput = run.Goodput(0, run.Seconds), unloaded = isFixed ? 50 : Scenarios.UnloadedP99;
        double handler = run.HandlerInAll.Quantile(0.99), waiting = run.WithWaiting.Quantile(0.99);
        if (goodput < 0.97 * Capacity) return Say($"{goodput:0.0} a second of {Capacity:0}");
        if (handler > 2.02 * unloaded) return Say($"p99 {handler:0} ms against {unloaded:0} unloaded"); // two percent: the width of a bucket
        return waiting > (2.02 * unloaded) + (isFixed ? waitMs : 0) ? Say($"p99 with waiting {waiting:0} ms against {unloaded:0} unloaded") : null;
    }

    private static string? Limits(RunResult run)
    {
        for (int minute = 0; minute < run.Seconds / 60; minute++)
        {
            double limit = run.Mean(run.MeanLimits, minute * 60, (minute + 1) * 60);
            if (limit is < 10 or > 50) return Say($"the mean limit of minute {minute} was {limit:0.0} for 20 servers");
        }

        return null;
    }

    private static string Say(FormattableString text) => text.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
