using Resilience.Extensibility;
using Resilience.Testing;

namespace Resilience.Evidence;

/// <summary>Our budget beside the rules of gRPC (proposal A6) and Finagle (RetryBudget), each written down from its description.</summary>
internal static class Budgets
{
    internal static async Task WriteAsync(string folder)
    {
        double[] shares = [0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1];
        List<(double Ours, double Finagle, double Grpc)> results = [];
        foreach (double share in shares)
        {
            results.Add((
                await GrantedAsync(share, w => OursLike(w)).ConfigureAwait(false),
                await GrantedAsync(share, w => new Finagle(w.Time, 0.2, 10)).ConfigureAwait(false),
                await GrantedAsync(share, _ => new Grpc(0.2, 10)).ConfigureAwait(false)));
        }

        new Page(folder, "budgets.md", "Our retry budget beside those of Finagle and gRPC")
            .Say("A thousand calls a second for five minutes, of which a share fails; every failure asks once for a retry. Finagle: each call deposits 20 %, 10 a second come in, what is not spent "
                + "expires after 10 s. gRPC (proposal A6): a bucket of 10 tokens, a failure takes one, a success brings 0.2, retries are allowed while more than half is there. Ours: `Ratio = 0.2, "
                + "MinRetriesPerSecond = 10, Window = 10 s`.")
            .Table(["share of failures", "ours: retries a call", "Finagle", "gRPC", "asked for"], shares.Select((s,
                i) => new object[] { $"{s:0.00}", $"{results[i].Ours:0.000}", $"{results[i].Finagle:0.000}", $"{results[i].Grpc:0.000}", $"{s:0.000}" }))
            .Picture("budgets.svg", "Retries granted for each call", "share of failures", "retries a call",
                [("ours", shares, [.. results.Select(r => r.Ours)]), ("Finagle", shares, [.. results.Select(r => r.Finagle)]), ("gRPC", shares, [.. results.Select(r => r.Grpc)])])
            .Say("Configured alike, ours grants what Finagle's grants: everything up to 20 % and 10 a second, and never more. gRPC's rule has no ratio of its own: it stops all retries once "
                + "failures exceed a sixth of the calls (0.2 ÷ 1.2), and what passes beyond is what its bucket refills between two failures.")
            .Save();
    }

    private static async Task<double> GrantedAsync(double share, Func<Simulation, IBudget> make)
    {
        Simulation world = new(1) { Interval = TimeSpan.FromMinutes(1) };
        IBudget budget = make(world);
        long calls = 0, granted = 0;
        world.AddArrivals("call", 1000, _ =>
        {
            bool failed = world.Randomness.NextDouble() < share, measured = world.Time.Elapsed > TimeSpan.FromMinutes(1);
            budget.Call();
            if (measured) calls++;
            if (!failed) budget.Success();
            else if (budget.TryRetry() && measured) granted++;
            return default;
        });
        await world.RunAsync(TimeSpan.FromMinutes(5)).ConfigureAwait(false);
        return (double)granted / calls;
    }

    private static Ours OursLike(Simulation world) =>
        new(new(new RetryBudgetOptions { Ratio = 0.2, MinRetriesPerSecond = 10, Window = TimeSpan.FromSeconds(10) }, world.Time));

    private interface IBudget
    {
        void Call();

        void Success();

        bool TryRetry();
    }

    private sealed class Ours(RetryBudget budget) : IBudget
    {
        public void Call() => budget.RecordCall();

        public void Success()
        {
        }

        public bool TryRetry() => budget.TryWithdraw();
    }

    /// <summary>Deposits in slices of a second that expire after ten; a withdrawal takes from the sum.</summary>
    private sealed class Finagle(TimeProvider time, double ratio, double floor) : IBudget
    {
        private const int Window = 10;
        private readonly double[] _slices = new double[Window];
        private long _second;

        public void Call() => Current() += ratio;

        public void Success()
        {
        }

        public bool TryRetry()
        {
            ref double current = ref Current();
            if (_slices.Sum() + (floor * Window) < 1) return false;
            current -= 1;
            return true;
        }

        private ref double Current()
        {
            long now = (long)time.GetElapsedTime(0).TotalSeconds;
            for (; _second < now; _second++) _slices[(_second + 1) % Window] = 0;
            return ref _slices[now % Window];
        }
    }

    private sealed class Grpc(double ratio, double max) : IBudget
    {
        private double _missing;

        public void Call()
        {
        }

        public void Success() => _missing = Math.Max(0, _missing - ratio);

        public bool TryRetry()
        {
            _missing = Math.Min(max, _missing + 1);
            return _missing < max / 2;
        }
    }
}
