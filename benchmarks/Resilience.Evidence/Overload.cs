using System.Globalization;
using Resilience.Experiments;
using Resilience.Overload;

namespace Resilience.Evidence;

/// <summary>What limits that adapt do under overload: ours, and those of others, ported from their formulas.</summary>
internal static class Overload
{
    private const int Seeds = 3;

    private static readonly Dictionary<string, string> Names = new()
    {
        ["gradient2"] = "Gradient2",
        ["vegas"] = "Vegas",
        ["aimd"] = "AIMD",
        ["envoy"] = "Envoy",
        ["failsafe"] = "failsafe-go",
        [Limits.Ours] = "ours",
    };

    private static readonly (string Name, string Shown)[] Rows =
    [
        ("triple-hour", "3 × the load, an hour"), ("fixed-hour", "the same, fixed times"), ("halved", "half the capacity, 2 × the load"),
        ("new-normal", "latency doubles at 70 %"), ("bimodal", "5 % slow calls at 41 %"), ("few-servers", "5 servers"),
        ("many-servers", "200 servers, 2 minutes"),
        ("load-95", "95 % load, no queue"),
    ];

    internal static Task WriteAsync(string folder)
    {
        Page page = new Page(folder, "overload.md", "Limits under overload")
            .Say("Twenty servers, 50 ms for a call (exponential), so 400 a second; unloaded p50 35 ms and p99 230 ms. The limits begin at 20 and judge every "
                + "second, with the published defaults of each and a maximum of 1,000. Those of others are ports from their formulas, held to vectors and to a "
                + "reference ([decision 0067](../decisions/0067-two-worlds-of-simulation.md)); ours is the engine itself, in virtual time.")
            .Say("Each cell: goodput a second, rejected %, p50 / p99 in ms, of the last fifth of the run; the mean of three seeds.")
            .Table(["", .. Limits.All.Select(l => Names[l.Name])], Rows.Select(Row))
            .Picture("overload-limits.svg", "The limit during an hour of three times the load (20 servers)", "minutes", "limit",
                Limits.All.Select(l => Series(Server.Run(Scenarios.Triple(3600), 1, l.Make), Names[l.Name], 60)), isLogarithmic: true)
            .Picture("overload-halved.svg", "The limit when half of the servers go at 2 minutes and come back at 6", "seconds", "limit",
                Limits.All.Where(l => l.Name != "aimd").Select(l => Series(Server.Run(Scenarios.Halved(120, 360, 480), 1, l.Make), Names[l.Name], 1)), max: 80)
            .Say("Gradient2 and AIMD drift: what they take for unloaded is the queue that they have let in. Vegas and Envoy reject calls where nothing is "
                + "overloaded. failsafe-go goes up and down. Ours measures at half of its limit what a call takes without a queue, only while calls are "
                + "rejected anyway, and pays for it with about one percent.");
        Classes(page);
        Clients(page);
        page.Save();
        return Task.CompletedTask;
    }

    private static object[] Row((string Name, string Shown) row)
    {
        Scenario scenario = Scenarios.Table.Single(t => t.Name == row.Name).Scenario;
        return
        [
            row.Shown, .. Limits.All.Select(limit =>
            {
                RunResult[] runs = [.. Enumerable.Range(1, Seeds).Select(seed => Server.Run(scenario, seed, limit.Make))];
                return FormattableString.Invariant(
                    $"{runs.Average(r => r.Goodput(r.Tail, r.Seconds)):0}, {100 * runs.Average(r => r.RejectedShare(r.Tail, r.Seconds)):0.0} %, ")
                    + FormattableString.Invariant($"{runs.Average(r => r.Handler.Quantile(0.5)):0} / {runs.Average(r => r.Handler.Quantile(0.99)):0}");
            }),
        ];
    }

    private static void Classes(Page page)
    {
        Criticality[] classes = [Criticality.CriticalPlus, Criticality.Critical, Criticality.SheddablePlus, Criticality.Sheddable];
        (string Name, Func<EventWorld, Chance, Gate> Make)[] queues =
        [
            ("oldest first, 100 ms", static (world, _) => new ClassQueueModel(world, 30, QueueOrder.OldestFirst)),
            ("one controlled delay for all", static (world, _) => new ClassQueueModel(world, 30, QueueOrder.OneDelay)),
            ("a delay for each class", static (world, _) => new ClassQueueModel(world, 30, QueueOrder.DelayForEachClass)),
            ("the engine, limit and queue", Limits.EngineWithQueue),
        ];
        foreach (double load in new[] { 0.9, 3 })
        {
            page.Say(FormattableString.Invariant(
                    $"Served %, by class, at {load * 100:0} % of the capacity; 10, 50, 25 and 15 % of the calls are of the four classes. ")
                    + "The first three are models with a limit of 30.")
                .Table(["queue", "CriticalPlus", "Critical", "SheddablePlus", "Sheddable", "goodput"], queues.Select(queue =>
                {
                    RunResult run = Server.Run(Scenarios.AtLoad(load, 600) with { Classes = Scenarios.UsualClasses }, 1, queue.Make);
                    return (object[])[queue.Name, .. classes.Select(c => (object)(100 * run.ServedShare(c, 0))), run.Goodput(60, 600)];
                }));
        }
    }

    private static void Clients(Page page) => page
        .Say("Many clients, each with a limit by signals of its own, three times the load in all; one begins at 100 and the others at 20. The server admits "
            + "30 and rejects the rest; or it queues without end, and the clients have a target of 250 ms.")
        .Table(["clients", "goodput", "rejected by the server, %", "fairness (Jain)", "goodput with target", "p99 with target, ms", "fairness"],
            new[] { 1, 4, 10, 40 }.Select(clients =>
            {
                Fleet rejecting = Run(clients, 30, null), queueing = Run(clients, int.MaxValue, TimeSpan.FromMilliseconds(250));
                return (object[])
                [
                    clients, rejecting.Goodput, 100.0 * rejecting.RejectedByServer / rejecting.Sent, rejecting.Fairness.ToString("0.000", CultureInfo.InvariantCulture),
                    queueing.Goodput, Math.Round(queueing.Latencies.Quantile(0.99)), queueing.Fairness.ToString("0.000", CultureInfo.InvariantCulture),
                ];
            }));

    private static Fleet Run(int clients, int admits, TimeSpan? target) =>
        Fleet.Run(1, clients, 1200, admits, (world, chance, i) => Limits.Client(world, chance, i == 0 ? 100 : 20, target));

    private static (string Name, double[] X, double[] Y) Series(RunResult run, string name, int step)
    {
        int points = run.Seconds / step;
        return (name, [.. Enumerable.Range(0, points).Select(i => (double)(step == 1 ? i : i + 1))],
            [.. Enumerable.Range(0, points).Select(i => run.Mean(run.Limits, i * step, (i + 1) * step))]);
    }
}
