using System.Diagnostics.Metrics;
using System.Net;
using System.Threading.RateLimiting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Resilience.Tests.Http;

namespace Resilience.Tests.Telemetry;

/// <summary>Listeners, loggers and clocks that throw where the extensions call them: no reload is lost, no lease, no request.</summary>
public sealed class ExtensionCallOutTests
{
    private static readonly AsyncLocal<string?> Throws = new(); // the instrument whose listener throws, in this flow of control alone

    /// <summary>Listens to one instrument, and throws at each measurement while the test says so.</summary>
    private static MeterListener Listen(string instrumentName)
    {
        MeterListener listener = new()
        {
            InstrumentPublished = (instrument, l) =>
            {
                if (instrument.Name == instrumentName && instrument.Meter.Name == ResilienceTelemetry.MeterName) l.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, _, _) => Pass());
        listener.SetMeasurementEventCallback<double>((_, _, _, _) => Pass());
        listener.Start();
        return listener;

        void Pass()
        {
            if (Throws.Value == instrumentName) throw new NotFiniteNumberException("listener");
        }
    }

    private sealed class ThrowingLogs : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (Throws.Value == "logger") throw new NotFiniteNumberException("logger");
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A reload whose count or line throws is applied all the same, and the reloads after it are heard.</summary>
    [Theory]
    [InlineData("resilience.configuration.reloads")]
    [InlineData("logger")]
    public async Task A_listener_or_logger_that_throws_loses_no_reload(string thrower)
    {
        using MeterListener listener = Listen(thrower);
        IConfigurationRoot configuration = new ConfigurationBuilder().AddInMemoryCollection([new("P:AttemptTimeout", "00:00:01")]).Build();
        ServiceCollection services = new();
        services.AddLogging(logs => logs.AddProvider(new ThrowingLogs()).SetMinimumLevel(LogLevel.Trace));
        services.AddSingleton<IConfiguration>(configuration);
        services.AddResilience().AddPipeline("reloaded", "P");
        await using ServiceProvider container = services.BuildServiceProvider();
        ResiliencePipeline pipeline = container.GetRequiredKeyedService<ResiliencePipeline>("reloaded");
        Throws.Value = thrower;
        Reload("00:00:02").Should().Be(2, "what was applied is in use");
        Reload("nonsense").Should().Be(2, "what is wrong changes nothing");
        Reload("00:00:03").Should().Be(3, "the reload before has not stopped the reloads");
        Throws.Value = null;
        Reload("00:00:04").Should().Be(4);

        double Reload(string timeout)
        {
            configuration["P:AttemptTimeout"] = timeout;
            configuration.Reload();
            return pipeline.Describe().Policies.Single().Timeout!.Value.TotalSeconds;
        }
    }

    /// <summary>Makes a clock throw at one of the readings that are made of it while this is armed, or at all (0).</summary>
    private sealed class FailingReadings(int at)
    {
        private int _readings;

        public bool IsArmed { get; set; }

        public bool HasThrown { get; private set; }

        public void Pass(TimeUse use)
        {
            if (!IsArmed || use is not (TimeUse.Timestamp or TimeUse.TimeOfDay)) return;
            int reading = Interlocked.Increment(ref _readings);
            if (at != 0 && reading != at) return;
            HasThrown = true;
            throw new NotFiniteNumberException("time");
        }
    }

    [Fact]
    public async Task A_clock_that_throws_while_a_call_waits_for_a_rate_limiter_loses_no_lease()
    {
        using MeterListener listener = Listen("resilience.rate_limit.wait.duration"); // so that waits are measured
        bool thrown = true;
        for (int at = 1; thrown && at < 100; at++)
        {
            FailingReadings readings = new(at);
            WatchedTime time = new() { Using = readings.Pass };
            using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 1 });
            ResiliencePipeline pipeline = new ResiliencePipelineBuilder { TimeProvider = time }.AddRateLimiter(limiter, o => o.MayQueue = true).Build();
            TaskCompletionSource<int> end = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Task<int> holds = pipeline.ExecuteAsync(_ => new ValueTask<int>(end.Task)).AsTask();
            readings.IsArmed = true;
            Task<Outcome<int>> waits = pipeline.TryExecuteAsync(_ => new ValueTask<int>(2)).AsTask();
            Outcome<int> rejected = await pipeline.TryExecuteAsync(_ => new ValueTask<int>(3));
            rejected.Verdict.Should().Be(Verdict.Rejected, "the queue is full, whatever the clock does at call {0}", at);
            end.SetResult(1);
            await holds;
            (await waits.WaitAsync(TimeSpan.FromSeconds(60))).Value.Should().Be(2);
            limiter.GetStatistics()!.CurrentAvailablePermits.Should().Be(1, "every lease is back");
            thrown = readings.HasThrown;
        }

        thrown.Should().BeFalse("the walk has passed all calls of the clock");
    }

    /// <summary>The first version of a race that most people write: it does not wait for what it has let go on.</summary>
    private sealed class Leaving : SimplePolicy
    {
        protected override ValueTask<Outcome<T>> ExecuteAsync<T>(PolicyLink<T> next, ResilienceContext context)
        {
            Task<Outcome<T>> running = next.ExecuteAsync(context).AsTask();
            return running.IsCompleted ? new(running) : new(Outcome.Failure<T>(new TimeoutException()));
        }
    }

    [Fact]
    public async Task A_run_that_a_policy_has_left_alone_gives_its_lease_back()
    {
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 0 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder().AddPolicy(new Leaving()).AddRateLimiter(limiter).Build();
        TaskCompletionSource<int> end = new();
        (await pipeline.TryExecuteAsync(_ => end.Task)).IsSuccess.Should().BeFalse();
        limiter.GetStatistics()!.CurrentAvailablePermits.Should().Be(0, "what was left alone is still running");
        end.SetResult(1);
        using CancellationTokenSource patience = new(TimeSpan.FromSeconds(60));
        while (limiter.GetStatistics()!.CurrentAvailablePermits == 0 && !patience.IsCancellationRequested) await Task.Yield();
        limiter.GetStatistics()!.CurrentAvailablePermits.Should().Be(1);
    }

    [Fact]
    public async Task A_clock_that_throws_wherever_it_is_asked_loses_no_request()
    {
        bool thrown = true;
        int at = 1;
        for (; thrown && at < 300; at++)
        {
            FailingReadings readings = new(at);
            WatchedTime time = new() { Using = readings.Pass };
            HttpResilience resilience = HttpKit.Standard(time);
            HttpClient client = HttpKit.Client(resilience, new ScriptedHandler(HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK));
            readings.IsArmed = true;
            using HttpResponseMessage response = await client.GetAsync(HttpKit.Address);
            response.StatusCode.Should().Be(HttpStatusCode.OK, "the clock threw at call {0}", at);
            await response.Content.ReadAsStringAsync();
            thrown = readings.HasThrown;
        }

        thrown.Should().BeFalse("the walk has passed all calls of the clock");
        at.Should().BeGreaterThan(5, "it is asked more often than that");
    }

    [Fact]
    public async Task A_listener_that_throws_at_hearing_of_an_instrument_breaks_neither_build_nor_call()
    {
        using Meters meters = new();
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter == meters.Meter) throw new NotFiniteNumberException("published");
            },
        };
        listener.Start();
        using ConcurrencyLimiter limiter = new(new() { PermitLimit = 1, QueueLimit = 0 });
        ResiliencePipeline pipeline = new ResiliencePipelineBuilder { MeterFactory = meters }.AddRateLimiter(limiter).Build();
        (await pipeline.TryExecuteAsync(async token => (await pipeline.TryExecuteAsync(_ => new ValueTask<int>(1), token)).Verdict))
            .Value.Should().Be(Verdict.Rejected, "the one permit is taken");
        new ReloadTelemetry(meters).Count("p", ReloadTelemetry.Applied);
    }

    private sealed class Meters : IMeterFactory
    {
        public Meter Meter { get; } = new(ResilienceTelemetry.MeterName);

        public Meter Create(MeterOptions options) => Meter;

        public void Dispose() => Meter.Dispose();
    }
}
