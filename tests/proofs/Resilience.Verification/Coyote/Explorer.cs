using System.Reflection;
using Microsoft.Coyote;
using Microsoft.Coyote.Logging;
using Microsoft.Coyote.Rewriting;
using Microsoft.Coyote.SystematicTesting;

namespace Resilience.Verification.Coyote;

/// <summary>Which steps of a thread the scheduler can come between.</summary>
internal enum Grain
{
    /// <summary>Before each interlocked operation (and each change of the clock). Plain and volatile reads belong to the step before them.</summary>
    Atomics,

    /// <summary>Before volatile reads and writes too.</summary>
    Volatiles,

    /// <summary>Before every access to a field or an array as well.</summary>
    Memory,
}

/// <param name="Schedules">How many schedules were run.</param>
/// <param name="IsComplete">No other schedule exists.</param>
/// <param name="Flaw">What the scenario complained of, null if of nothing.</param>
internal sealed record Exploration(int Schedules, bool IsComplete, string? Flaw);

/// <summary>Runs a scenario under many schedules of its threads.</summary>
internal static class Explorer
{
    // The exhaustive strategy is in the package and works, but is not public.
    private static readonly MethodInfo DepthFirst =
        typeof(Microsoft.Coyote.Configuration).GetMethod("WithDFSStrategy", BindingFlags.Instance | BindingFlags.NonPublic)
        ?? throw new InvalidOperationException("This version of Coyote has no depth-first strategy.");

    /// <summary>All schedules, one after the other, until there are no more or so many were run.</summary>
    /// <param name="scenario">What is run.</param>
    /// <param name="grain">Where threads may change.</param>
    /// <param name="max">The most schedules.</param>
    /// <param name="flows">The scenario captures execution contexts, or makes timers of a provider of its own: calls of the framework that Coyote takes for
    /// steps which it does not see. They are none, and are passed over.</param>
    internal static Exploration Exhaust(Action scenario, Grain grain, int max, bool flows = false) =>
        Run(scenario, (Microsoft.Coyote.Configuration)DepthFirst.Invoke(Configure(grain, max, flows), null)!, max);

    /// <summary>Schedules at random, from a fixed seed.</summary>
    internal static Exploration Sample(Action scenario, Grain grain, int schedules, bool flows = false) =>
        Run(scenario, Configure(grain, schedules, flows).WithRandomStrategy(), schedules);

    /// <summary>All must have been rewritten: otherwise nothing is explored, and nothing would say so.</summary>
    internal static void RequireRewriting()
    {
        foreach (Assembly assembly in new[] { typeof(CircuitBreaker).Assembly, typeof(HttpResilience).Assembly, typeof(Explorer).Assembly })
        {
            if (!RewritingEngine.IsAssemblyRewritten(assembly))
                throw new InvalidOperationException($"{assembly.GetName().Name} has no scheduling points: build this project again without -p:Coyote=false.");
        }
    }

    private static Microsoft.Coyote.Configuration Configure(Grain grain, int max, bool flows) => Microsoft.Coyote.Configuration.Create()
        .WithTelemetryEnabled(false)
        .WithTestingIterations((uint)max)
        .WithMaxSchedulingSteps(2000)
        .WithRandomGeneratorSeed(1)
        .WithPartiallyControlledConcurrencyAllowed(flows) // not WithNoBugTraceRepro, which gives up the schedules and lets real threads run by chance
        .WithDeadlockTimeout(120_000) // real time without a step: a busy machine takes more than the usual five seconds from a thread that is well
        .WithAtomicOperationRaceCheckingEnabled()
        .WithVolatileOperationRaceCheckingEnabled(grain >= Grain.Volatiles)
        .WithMemoryAccessRaceCheckingEnabled(grain >= Grain.Memory)
        .WithControlFlowRaceCheckingEnabled(grain >= Grain.Memory);

    private static Exploration Run(Action scenario, Microsoft.Coyote.Configuration configuration, int max)
    {
        RequireRewriting();
        using TestingEngine engine = TestingEngine.Create(configuration, scenario);
        engine.SetLogger(new NullLogger());
        engine.Run();
        TestReport report = engine.TestReport;
        int schedules = report.NumOfExploredFairPaths + report.NumOfExploredUnfairPaths;
        string flaws = string.Join(Environment.NewLine, report.BugReports.Concat(report.InternalErrors));
        return new(schedules, flaws.Length == 0 && schedules < max, flaws.Length == 0 ? null : flaws);
    }

    /// <summary>Coyote writes a diary to the console otherwise.</summary>
    private sealed class NullLogger : ILogger
    {
        public void Write(LogSeverity severity, string value) { }
        public void Write(LogSeverity severity, string format, object arg0) { }
        public void Write(LogSeverity severity, string format, object arg0, object arg1) { }
        public void Write(LogSeverity severity, string format, object arg0, object arg1, object arg2) { }
        public void Write(LogSeverity severity, string format, params object[] args) { }
        public void Write(string value) { }
        public void Write(string format, object arg0) { }
        public void Write(string format, object arg0, object arg1) { }
        public void Write(string format, object arg0, object arg1, object arg2) { }
        public void Write(string format, params object[] args) { }
        public void WriteLine(string value) { }
        public void WriteLine(string format, object arg0) { }
        public void WriteLine(string format, object arg0, object arg1) { }
        public void WriteLine(string format, object arg0, object arg1, object arg2) { }
        public void WriteLine(string format, params object[] args) { }
        public void WriteLine(LogSeverity severity, string value) { }
        public void WriteLine(LogSeverity severity, string format, object arg0) { }
        public void WriteLine(LogSeverity severity, string format, object arg0, object arg1) { }
        public void WriteLine(LogSeverity severity, string format, object arg0, object arg1, object arg2) { }
        public void WriteLine(LogSeverity severity, string format, params object[] args) { }
        public void Dispose() { }
    }
}
