using System.Diagnostics;
using System.Globalization;
using Resilience.Soak;

// Resilience.Soak SECONDS [LEAK [CALLS]]   traffic in rounds of so many calls (20,000); after each, heap, timers, handles and threads are counted; their slopes must be flat.
// Ends with the line "N passed, N failed", and with 1 if anything failed. Run a Debug build: then the invariants at the doors are asserted, too.
double seconds = args.Length > 0 ? double.Parse(args[0], CultureInfo.InvariantCulture) : 60;
Leak leak = new(args.Length > 1 ? args[1] : "");
Trace.Listeners.Clear();
Trace.Listeners.Add(new Failing());
using Load load = new();
List<Sample> samples = [];
Stopwatch watch = Stopwatch.StartNew();
int calls = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 20_000;
for (int round = 0; watch.Elapsed.TotalSeconds < seconds || round < 12; round++)
{
    await load.RoundAsync(calls, round).ConfigureAwait(false);
    leak.Grow();
    samples.Add(Sample.Take());
}

// The first third warms up: pools fill, code is compiled anew.
Sample[] used = [.. samples.Skip(Math.Max(4, samples.Count / 3))];
(string What, double Slope, double Max)[] slopes =
[
    ("bytes of heap", Slope(s => s.Heap), 20_000),
    ("timers", Slope(s => s.Timers), 5),
    ("handles", Slope(s => s.Handles), 0.5),
    ("threads", Slope(s => s.Threads), 0.3),
];
Console.WriteLine(FormattableString.Invariant($"{samples.Count} rounds of {calls} calls in {watch.Elapsed.TotalSeconds:0} s, {(IsDebug() ? "Debug, invariants asserted" : "Release")}; last: {samples[^1]}"));
int failed = 0;
foreach ((string what, double slope, double max) in slopes)
{
    bool ok = slope <= max;
    if (!ok) failed++;
    Console.WriteLine(FormattableString.Invariant($"{(ok ? "flat" : "GROWS")}: {what} {slope:0.##} a round (at most {max})"));
}

Console.WriteLine($"{slopes.Length - failed} passed, {failed} failed");
return failed == 0 ? 0 : 1;

double Slope(Func<Sample, double> of)
{
    double n = used.Length, meanX = (n - 1) / 2, meanY = used.Average(of), above = 0, below = 0;
    for (int i = 0; i < used.Length; i++)
    {
        above += (i - meanX) * (of(used[i]) - meanY);
        below += (i - meanX) * (i - meanX);
    }

    return above / below;
}

static bool IsDebug() => typeof(Resilience.ResiliencePipeline).Assembly.GetCustomAttributes(typeof(DebuggableAttribute), false) is [DebuggableAttribute { IsJITOptimizerDisabled: true }];

internal sealed record Sample(long Heap, long Timers, int Handles, int Threads)
{
    internal static Sample Take()
    {
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        using Process self = Process.GetCurrentProcess();
        return new(GC.GetTotalMemory(forceFullCollection: true), Timer.ActiveCount, Directory.GetFiles("/proc/self/fd").Length, self.Threads.Count);
    }
}

/// <summary>An assertion that does not hold ends the soak.</summary>
internal sealed class Failing : TraceListener
{
    public override void Fail(string? message, string? detailMessage)
    {
        Console.WriteLine($"ASSERTION {message} {detailMessage}\n{Environment.StackTrace}\n0 passed, 1 failed");
        Environment.Exit(3);
    }

    public override void Write(string? message)
    {
    }

    public override void WriteLine(string? message)
    {
    }
}
