namespace Resilience.StormLab;

/// <summary>Something that must be true of every run, and whether it is.</summary>
/// <param name="Name">What must be true.</param>
/// <param name="Holds">Whether it is.</param>
/// <param name="Detail">The numbers.</param>
public sealed record StormCheck(string Name, bool Holds, string Detail);

/// <summary>The most that retries may add: retries ≤ <paramref name="Ratio"/> × calls + <paramref name="PerSecond"/> × (seconds + <paramref
/// name="Window"/>).</summary>
/// <param name="Ratio">Retries for each call.</param>
/// <param name="PerSecond">Retries a second whatever the traffic, of the whole fleet.</param>
/// <param name="Window">What a budget holds at the beginning, in seconds of the floor.</param>
public sealed record RetryBound(double Ratio, double PerSecond, double Window)
{
    /// <summary>What the settings promise for a fleet; null when its retries have no bound of this kind, or hedges come on top of them.</summary>
    public static RetryBound? Of(SideOptions settings, int clients)
    {
        if (settings.Hedging is not null) return null;
        if (settings.Retry is not { MaxRetries: not 0 } retry) return new(0, 0, 0);
        if (retry.Budget?.IsUnlimited is true) return null;
        RetryBudgetOptions budget = retry.BudgetOptions ?? new();
        return new(budget.Ratio, budget.MinRetriesPerSecond * clients, budget.Window.TotalSeconds);
    }
}

/// <summary>What is checked on every run before anything is claimed.</summary>
public static class StormChecks
{
    /// <summary>All checks of one run.</summary>
    public static IEnumerable<StormCheck> Of(StormRun run)
    {
        yield return Conservation(run.Seconds, run.Report.Started, run.Report.Succeeded + run.Report.Failed + run.Report.Rejected, run.Report.Stuck);
        yield return new("nothing leaks", run.Report.TimersLeft == 0, FormattableString.Invariant($"{run.Report.TimersLeft} timers are left at the end"));
        if (RetryBound.Of(run.Settings, run.Plan.Clients) is { } bound) yield return Amplification(run.Seconds, bound);
    }

    /// <summary>No call is lost and none counted twice: at no second have more ended than began, and at the end they are as many, but for the stuck.</summary>
    public static StormCheck Conservation(IReadOnlyList<StormSecond> seconds, long started, long ended, int stuck)
    {
        long pending = 0;
        int? wrong = null;
        foreach (StormSecond second in seconds)
        {
            pending += second.Started - second.Succeeded - second.Failed - second.Rejected;
            if (pending < 0) wrong ??= second.Second;
        }

        // Calls that are under way at the last second end after it, so the series and the totals meet in what is pending.
        bool holds = wrong is null && started == ended + stuck && started == seconds.Sum(s => s.Started);
        string first = wrong is { } s ? Story.Text($"; more ended than began at {s} s") : "";
        return new("calls begun = done + failed + rejected + pending", holds,
            Story.Text($"{started:N0} begun, {ended:N0} ended, {stuck} stuck; {pending:N0} under way when the load ended{first}"));
    }

    /// <summary>Retries never exceed what the budgets allow, from the beginning to any second.</summary>
    public static StormCheck Amplification(IReadOnlyList<StormSecond> seconds, RetryBound bound)
    {
        double started = 0, attempts = 0, closest = double.PositiveInfinity;
        int? broken = null;
        foreach (StormSecond second in seconds)
        {
            started += second.Started;
            attempts += second.Attempts;
            double left = started + (bound.Ratio * started) + (bound.PerSecond * (second.Second + 1 + bound.Window)) - attempts;
            closest = Math.Min(closest, left);
            if (left < 0) broken ??= second.Second;
        }

        string rule = FormattableString.Invariant($"retries ≤ {bound.Ratio:0.###} × calls + {bound.PerSecond:0.#} × (seconds + {bound.Window:0.#})");
        return new("retries stay within the budgets", broken is null, broken is { } s
            ? FormattableString.Invariant($"{rule}: broken at {s} s, by {-closest:N0} requests at the worst")
            : FormattableString.Invariant($"{rule}: {closest:N0} were to spare at the closest"));
    }
}
