using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Resilience.Benchmarks;

/// <summary>What does a call of the standard chain cost with each kind of listener? The listeners take turns in one process, round by round.</summary>
/// <remarks>Processor time, not time: what is wanted is what a listener takes from the machine, and others may be at work on it.</remarks>
internal static class TelemetryCost
{
    private const int Calls = 20_000, WarmUp = 4, Rounds = 15;

    private static readonly Func<CancellationToken, ValueTask<int>> Succeeds = static _ => new(42);
    private static int turn;
    private static readonly Func<CancellationToken, ValueTask<int>> FailsFirst = static _ => new(turn++ % 2 == 0 ? -1 : 42); // -1 is a failure

    private static readonly (string Name, bool Logs, Func<IDisposable?> Listen)[] Listeners =
    [
        ("nothing", false, static () => null),
        ("metrics", false, static () => new Metrics()),
        ("spans, not sampled", false, static () => new Spans(ActivitySamplingResult.None)),
        ("spans, sampled", false, static () => new Spans(ActivitySamplingResult.AllDataAndRecorded)),
        ("metrics and sampled spans", false, static () => new Both()),
        ("the log, at Information", true, static () => null),
        ("all three", true, static () => new Both()),
    ];

    internal static void Write()
    {
        CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
        using ServiceProvider silent = Container(logs: false), logging = Container(logs: true);
        StringBuilder text = new();
        text.AppendLine("# What listeners cost").AppendLine()
            .AppendLine($"Made on {DateTime.UtcNow:yyyy-MM-dd} by `dotnet run -c Release --project benchmarks/Resilience.Benchmarks -- --telemetry`: the chain timeout > retry > breaker > timeout, called with a delegate that completes at once.")
            .AppendLine($"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.ProcessArchitecture}, {Environment.ProcessorCount} processors. Processor time and bytes for each call, the median of {Rounds} rounds in which the listeners take turns; a virtual machine that others share, so read the differences, not the nanoseconds.")
            .AppendLine("The listeners do nothing with what they receive; an exporter costs more. The log is formatted and thrown away.").AppendLine()
            .AppendLine("| who listens | success at once, ns | bytes | one retry, ns | bytes |").AppendLine("|---|---|---|---|---|");
        (double Ns, double Bytes)[] success = Measure(silent, logging, Succeeds), retried = Measure(silent, logging, FailsFirst);
        (double Ns, double Bytes) bare = MeasureBareSpans();
        for (int i = 0; i < Listeners.Length; i++)
            text.AppendLine($"| {Listeners[i].Name} | {success[i].Ns:#,0} | {success[i].Bytes:#,0} | {retried[i].Ns:#,0} | {retried[i].Bytes:#,0} |");
        text.AppendLine($"| *the runtime's part of it: two spans with the same tags, and no call* | {bare.Ns:#,0} | {bare.Bytes:#,0} | – | – |");
        text.AppendLine().AppendLine("*One retry*: the first attempt fails with a result, the second succeeds, without a wait. It writes one line to the log and two events to the span, and is two spans below the call's.");
        File.WriteAllText(Path.Combine(Report.FindResults(), "telemetry.md"), text.ToString());
        Console.WriteLine(text.ToString());
    }

    private static ServiceProvider Container(bool logs)
    {
        ServiceCollection services = new();
        if (logs) services.AddLogging(l => l.SetMinimumLevel(LogLevel.Information).AddProvider(new Formats()));
        services.AddResilience().AddPipeline("standard", p => p.Classify(c => c.OnResult<int>(r => r < 0 ? Verdict.Failure : null))
            .AddTimeout(TimeSpan.FromSeconds(30))
            .AddRetry(o => (o.MaxRetries, o.BaseDelay, o.BudgetOptions) = (3, TimeSpan.Zero, new() { Ratio = 1 }))
            .AddCircuitBreaker(o => (o.FailureRatio, o.MinimumCalls) = (0.9, 100)).AddTimeout(TimeSpan.FromSeconds(2)));
        return services.BuildServiceProvider();
    }

    private static (double Ns, double Bytes)[] Measure(ServiceProvider silent, ServiceProvider logging, Func<CancellationToken, ValueTask<int>> act)
    {
        double[][] ns = [.. Listeners.Select(_ => new double[Rounds])];
        double[] bytes = new double[Listeners.Length];
        for (int round = -WarmUp; round < Rounds; round++)
        {
            for (int i = 0; i < Listeners.Length; i++)
            {
                ResiliencePipeline pipeline = (Listeners[i].Logs ? logging : silent).GetRequiredKeyedService<ResiliencePipeline>("standard");
                using IDisposable? listener = Listeners[i].Listen();
                long before = GC.GetAllocatedBytesForCurrentThread();
                TimeSpan start = Environment.CpuUsage.TotalTime;
                for (int call = 0; call < Calls; call++) pipeline.ExecuteAsync(act).GetAwaiter().GetResult();
                if (round < 0) continue;
                ns[i][round] = (Environment.CpuUsage.TotalTime - start).TotalNanoseconds / Calls;
                bytes[i] = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Calls;
            }
        }

        return [.. ns.Select((all, i) => (all.Order().ElementAt(Rounds / 2), bytes[i]))];
    }

    /// <summary>What a call with one attempt writes, without the call.</summary>
    private static (double Ns, double Bytes) MeasureBareSpans()
    {
        using ActivitySource source = new(ResilienceTelemetry.ActivitySourceName);
        using Spans listener = new(ActivitySamplingResult.AllDataAndRecorded);
        double[] ns = new double[Rounds];
        double bytes = 0;
        for (int round = -WarmUp; round < Rounds; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            TimeSpan start = Environment.CpuUsage.TotalTime;
            for (int call = 0; call < Calls; call++) BareSpans(source);
            if (round < 0) continue;
            ns[round] = (Environment.CpuUsage.TotalTime - start).TotalNanoseconds / Calls;
            bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Calls;
        }

        return (ns.Order().ElementAt(Rounds / 2), bytes);
    }

    private static void BareSpans(ActivitySource source)
    {
        using Activity call = source.StartActivity("standard")!;
        using (Activity attempt = source.StartActivity(ResilienceTelemetry.AttemptSpanName)!)
        {
            attempt.SetTag("resilience.pipeline", "standard").SetTag("resilience.attempt", 0).SetTag("resilience.verdict", "success");
        }

        call.SetTag("resilience.pipeline", "standard").SetTag("resilience.verdict", "success").SetTag("resilience.attempts", 1);
    }

    private sealed class Metrics : IDisposable
    {
        private readonly MeterListener _listener = new();

        internal Metrics()
        {
            _listener.InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Meter.Name == ResilienceTelemetry.MeterName) listener.EnableMeasurementEvents(instrument);
            };
            _listener.Start();
        }

        public void Dispose() => _listener.Dispose();
    }

    private sealed class Spans : IDisposable
    {
        private readonly ActivityListener _listener;

        internal Spans(ActivitySamplingResult sampled)
        {
            _listener = new()
            {
                ShouldListenTo = static source => source.Name == ResilienceTelemetry.ActivitySourceName,
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => sampled,
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public void Dispose() => _listener.Dispose();
    }

    private sealed class Both : IDisposable
    {
        private readonly Metrics _metrics = new();
        private readonly Spans _spans = new(ActivitySamplingResult.AllDataAndRecorded);

        public void Dispose()
        {
            _metrics.Dispose();
            _spans.Dispose();
        }
    }

    /// <summary>A log that makes each line and keeps none.</summary>
    private sealed class Formats : ILoggerProvider, ILogger
    {
        private int _length;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _length += formatter(state, exception).Length;

        public void Dispose() => GC.KeepAlive(_length);
    }
}
