using System.Text;

namespace Resilience.StormLab;

/// <summary>An example of docs/tuning.md: one setting, before and after.</summary>
/// <param name="Name">The name of its pictures and of its place on the page.</param>
/// <param name="Arguments">What the lab is asked. The side "naive" is before, the side "configured" after.</param>
/// <param name="Names">How the sides are called.</param>
/// <param name="Pictures">Which pictures the page shows.</param>
/// <param name="Rows">Which numbers the page shows.</param>
/// <param name="Claim">What the page says, as a condition on the two runs.</param>
public sealed record TuningExample(
    string Name, string Arguments, (string Before, string After) Names, string[] Pictures, string[] Rows, Func<StormRun, StormRun, bool> Claim)
{
    /// <summary>Asks the lab.</summary>
    /// <param name="root">The root of the repository, in which scenarios are found.</param>
    public async Task<(StormRun Before, StormRun After)> LiveAsync(string root)
    {
        string[] arguments = [.. TuningExamples.Service.Split(' '), .. Arguments.Replace("samples/", Path.Combine(root, "samples") + "/",
            StringComparison.Ordinal).Split(' ')];
        Question question = CommandLine.Read(arguments);
        StormPlan plan = (question.Plan ?? throw new InvalidOperationException(string.Join('\n', question.Problems))) with { Names = Names };
        return (await Storm.LiveAsync(plan, StormPlan.Naive), await Storm.LiveAsync(plan, StormPlan.Configured));
    }
}

/// <summary>The examples of docs/tuning.md, and what writes their pictures and numbers.</summary>
public static class TuningExamples
{
    /// <summary>Smaller than the lab's own, so that all examples take seconds.</summary>
    internal const string Service = "--load 140 --capacity 200 --queue 800 --duration 120s --clients 10";

    /// <summary>Both sides the same considered pipeline, to begin with.</summary>
    private const string Both = "--set naive:TotalTimeout=5s --set naive:Retry:MaxRetries=3 --set naive:Retry:BackoffKind=Exponential --set "
        + "naive:Retry:Jitter=Full "
        + "--set naive:Retry:MaxDelay=1s --set naive:Retry:Budget:Unlimited=false --set naive:Retry:Budget:Ratio=0.1 --set "
        + "naive:Retry:Budget:MinRetriesPerSecond=0.4 "
        + "--set configured:Retry:Budget:MinRetriesPerSecond=0.4 ";

    private const string BreakerOnBoth = Both
        + "--set naive:CircuitBreaker:FailureRatio=0.5 --set naive:CircuitBreaker:MinimumCalls=20 --set naive:CircuitBreaker:BreakDuration=2s "
        + "--set naive:CircuitBreaker:MaxBreakDuration=8s --set naive:CircuitBreaker:RampDuration=10s ";

    private const string Recovery = "recovery after the trouble", Peak = "requests for each call, at the peak", Good = "calls that ended well, of all",
        Rejected = "calls rejected by our own policies", Failed = "calls that failed", Wasted = "abandoned requests served",
        LatencyCalm = "latency before, p50 / p99", LatencyTrouble = "latency in the trouble, p50 / p99", Opened = "circuits opened",
        UnderWay = "most calls under way at once";

    /// <summary>All of them, in the order of the page.</summary>
    public static IReadOnlyList<TuningExample> All { get; } =
    [
        new("timeout-long", "--scenario slow " + Both + "--set naive:TotalTimeout=60s --set naive:AttemptTimeout=10s --breaker off", ("10 s", "1 s"),
            ["latency", "outcomes-naive", "outcomes-configured"], [LatencyCalm, LatencyTrouble, UnderWay, Recovery, Good],
            (b, a) => a.Trouble.P99 < b.Trouble.P99 / 2 && a.MaxInFlight < b.MaxInFlight / 2),
        new("timeout-short", "--scenario spike " + BreakerOnBoth + "--set naive:AttemptTimeout=150ms", ("150 ms", "1 s"),
            ["goodput"], [LatencyCalm, "goodput before, calls a second", Good, Opened], (b, a) => b.Calm.SuccessShare < 0.97 && a.Calm.SuccessShare > 0.999),
        new("budget", "--scenario spike " + Both + "--set naive:Retry:Budget:Unlimited=true --breaker off", ("no budget", "budget 0.1"),
            ["load", "goodput"], [Peak, "requests a second in the last half minute", Recovery, Good], (b, a) => b.Recovery is null && a.Recovery is not null),
        new("breaker-minimum", "--scenario outage " + BreakerOnBoth + "--set naive:CircuitBreaker:MinimumCalls=400",
            ("at least 400 calls", "at least 20 calls"),
            ["load", "wasted"], [Opened, Wasted, Rejected, Failed], (b, a) => b.Openings == 0 && a.Openings > 0 && a.Report.Abandoned < b.Report.Abandoned / 2),
        new("break-duration", "--scenario outage " + BreakerOnBoth
            + "--set naive:CircuitBreaker:BreakDuration=60s --set naive:CircuitBreaker:MaxBreakDuration=120s",
            ("60 s", "2 s, at most 8 s"), ["load", "goodput"], [Recovery, Rejected, Good, Opened], (b, a) => a.Recovery < b.Recovery),
        new("jitter", "--scenario samples/StormLab/scenarios/herd.json --queue 100 --breaker off --set naive:Retry:BaseDelay=1s --retry 5 --set "
            + "naive:Retry:MaxRetries=5 "
            + "--set configured:Retry:BaseDelay=1s --set configured:Retry:MaxDelay=8s --budget off --set configured:TotalTimeout=60s --set "
            + "naive:TotalTimeout=60s",
            ("every second, no jitter", "exponential, full jitter"), ["load"], [Failed, Peak, Recovery],
            (b, a) => a.Report.Failed < b.Report.Failed),
        new("limit", "--scenario slow " + Both + "--breaker off --limit 8", ("no limit", "limit 8"),
            ["wasted", "outcomes-naive", "outcomes-configured"], [Wasted, Rejected, Failed, Good, Recovery, UnderWay],
            (b, a) => a.Report.Abandoned < b.Report.Abandoned * 0.6 && a.Recovery < b.Recovery),
        new("deadline", "--scenario flapping " + Both + "--set naive:TotalTimeout=30s --set naive:Retry:Budget:Unlimited=true --set naive:Retry:MaxRetries=10 "
            + "--budget off --retry 10 --deadline 1.5s --set configured:AcceptedWarnings:0=RES008 --breaker off", ("30 s", "1.5 s"),
            ["load", "latency"], [Peak, LatencyTrouble, Recovery, Good],
            (b, a) => a.Peak.Amplification < b.Peak.Amplification && a.Trouble.P99 < b.Trouble.P99),
    ];

    /// <summary>Writes the pictures into <c>images/storm</c> and the numbers into <c>tuning.md</c>, where it says so.</summary>
    public static async Task WriteAsync(string docs)
    {
        string pictures = Directory.CreateDirectory(Path.Combine(docs, "images", "storm")).FullName, page = Path.Combine(docs, "tuning.md");
        string text = await File.ReadAllTextAsync(page);
        foreach (TuningExample example in All)
        {
            (StormRun before, StormRun after) = await example.LiveAsync(Path.Combine(docs, ".."));
            HtmlReport.WritePictures(pictures, before, after, n => example.Pictures.Contains(n) ? $"{example.Name}-{n}" : null);
            text = Put(text, example.Name, Table(example, before, after));
            Console.WriteLine($"{example.Name}: "
                + $"{(example.Claim(before, after) ? "as the page says" : "NOT as the page says")}\n{Table(example, before, after)}");
        }

        await File.WriteAllTextAsync(page, text);
    }

    private static string Table(TuningExample example, StormRun before, StormRun after)
    {
        StringBuilder table = new($"| | {example.Names.Before} | {example.Names.After} |\n|---|---|---|\n");
        foreach ((string name, string left, string right) in Story.Table(before, after).Where(r => example.Rows.Contains(r.Name)))
            table.Append($"| {name} | {left} | {right} |\n");
        return table.ToString();
    }

    private static string Put(string text, string name, string table)
    {
        string from = $"<!-- storm: {name} -->\n", until = "<!-- end -->";
        int start = text.IndexOf(from, StringComparison.Ordinal);
        if (start < 0) throw new InvalidOperationException($"The page has no place '{from.Trim()}'.");
        start += from.Length;
        int end = text.IndexOf(until, start, StringComparison.Ordinal);
        return string.Concat(text.AsSpan(0, start), table, text.AsSpan(end));
    }
}
