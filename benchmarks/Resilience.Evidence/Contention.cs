using Resilience.Extensibility;
using Resilience.Testing;

namespace Resilience.Evidence;

/// <summary>M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015): clients that fight for one row with optimistic concurrency.</summary>
internal static class Contention
{
    private static readonly (string Name, Action<RetryOptions> Set)[] Ways =
    [
        ("none", o => { o.BackoffKind = BackoffKind.Constant; o.BaseDelay = o.MaxDelay = TimeSpan.Zero; o.Jitter = BackoffJitter.None; }),
        ("exponential", o => o.Jitter = BackoffJitter.None),
        ("equal jitter", o => o.Jitter = BackoffJitter.Equal),
        ("full jitter", o => o.Jitter = BackoffJitter.Full),
        ("decorrelated", o => { o.BackoffKind = BackoffKind.Decorrelated; o.Jitter = BackoffJitter.Full; }),
    ];

    internal static async Task WriteAsync(string folder)
    {
        int[] crowds = [1, 5, 10, 25, 50, 75, 100, 150, 200];
        Dictionary<string, List<(double Calls, double Seconds)>> results = [];
        foreach ((string name, Action<RetryOptions> set) in Ways)
        {
            results[name] = [];
            foreach (int clients in crowds)
            {
                double calls = 0, seconds = 0;
                const int Runs = 20;
                for (int run = 0; run < Runs; run++)
                {
                    (int n, TimeSpan took) = await FightAsync(clients, set, run).ConfigureAwait(false);
                    calls += n;
                    seconds += took.TotalSeconds;
                }

                results[name].Add((calls / Runs, seconds / Runs));
            }
        }

        double[] x = [.. crowds.Select(c => (double)c)];
        new Page(folder, "contention.md", "Backoff and jitter under contention")
            .Say("Clients read a row, change it, and write it back if no other client has in between; otherwise they try again. Brooker's experiment (AWS Architecture Blog, 2015): "
                + "without jitter the clients that collided collide again, however long they wait; jitter spreads them. Here with our `AddRetry` in virtual time: "
                + "network delays of 10 ms in each direction with a deviation of 2 ms, a base of 5 ms, a cap of 2 s, factor 2, no budget, means of 20 runs.")
            .Say("## Work: writes tried until all clients are done")
            .Table(["clients", .. Ways.Select(w => w.Name)],
                crowds.Select((c, i) => new object[] { c }.Concat(Ways.Select(w => (object)results[w.Name][i].Calls)).ToArray()))
            .Picture("contention-calls.svg", "Writes tried until all are done", "clients", "writes",
                Ways.Select(w => (w.Name, x, results[w.Name].Select(r => r.Calls).ToArray())))
            .Say("## Time until all clients are done, in seconds")
            .Table(["clients", .. Ways.Select(w => w.Name)],
                crowds.Select((c, i) => new object[] { c }.Concat(Ways.Select(w => (object)results[w.Name][i].Seconds)).ToArray()))
            .Picture("contention-time.svg", "Seconds until all are done", "clients", "s",
                Ways.Select(w => (w.Name, x, results[w.Name].Select(r => r.Seconds).ToArray())))
            .Say("The order of the published curves comes out: no backoff does by far the most work, backoff without jitter the next most, and full jitter the least or close to it; "
                + "our default is full jitter. Figures differ from the published ones in the details of the network, which the article does not give.")
            .Save();
    }

    private static async Task<(int Writes, TimeSpan Took)> FightAsync(int clients, Action<RetryOptions> set, int run)
    {
        Simulation world = new(run) { Interval = TimeSpan.FromMinutes(1) };
        RetryOptions options = new()
        {
            MaxRetries = RetryOptions.Unlimited,
            BaseDelay = TimeSpan.FromMilliseconds(5),
            MaxDelay = TimeSpan.FromSeconds(2),
            Budget = RetryBudget.Unlimited,
        };
        set(options);
        ResiliencePipeline pipeline = world.Attach(
            new ResiliencePipelineBuilder { Classifier = OutcomeClassifier.Default.On<ConflictException>(Verdict.Failure) })
            .AddRetry(options).Build();
        int version = 0, writes = 0;
        TimeSpan last = default;
        for (int i = 0; i < clients; i++) world.At(TimeSpan.Zero, () => _ = ChangeRowAsync());
        await world.RunAsync(TimeSpan.FromMinutes(10)).ConfigureAwait(false);
        return (writes, last);

        async Task ChangeRowAsync()
        {
            await pipeline.ExecuteAsync(async _ =>
            {
                await TravelAsync().ConfigureAwait(false);
                int seen = version;
                await TravelAsync().ConfigureAwait(false);
                await TravelAsync().ConfigureAwait(false);
                bool written = Write(seen);
                await TravelAsync().ConfigureAwait(false);
                if (!written) throw new ConflictException();
            }).ConfigureAwait(false);
            last = world.Time.Elapsed;
        }

        // Normally spread, by Box and Muller.
        Task TravelAsync()
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - world.Randomness.NextDouble())) * Math.Cos(2 * Math.PI * world.Randomness.NextDouble());
            return Task.Delay(TimeSpan.FromMilliseconds(Math.Max(0.1, 10 + (2 * normal))), world.Time);
        }

        bool Write(int seen)
        {
            writes++;
            if (seen != version) return false;
            version++;
            return true;
        }
    }

    private sealed class ConflictException() : Exception("Another client was faster.");
}
