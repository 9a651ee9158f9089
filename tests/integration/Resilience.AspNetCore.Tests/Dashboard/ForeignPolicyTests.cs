using System.Diagnostics.Metrics;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience.Configuration;
using Resilience.CustomPolicy;

namespace Resilience.AspNetCore.Tests;

/// <summary>The policy of samples/CustomPolicy, in an assembly that has no part of ours: everything that a policy of ours has, it has too.</summary>
public sealed class ForeignPolicyTests
{
    private sealed class Lines : ILoggerFactory, ILogger
    {
        internal List<string> Written { get; } = [];

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            lock (Written) Written.Add($"{logLevel}: {formatter(state, exception)}");
        }

        public void Dispose()
        {
        }
    }

    private static IConfigurationRoot Section(params (string Key, string? Value)[] values) =>
        new ConfigurationBuilder().AddInMemoryCollection(values.Select(v => new KeyValuePair<string, string?>($"P:{v.Key}", v.Value))).Build();

    private static Task<Desk> OpenAsync(IConfiguration configuration, Lines? lines = null) => Desk.OpenAsync(
        b => b.AddConfigurablePolicy(PauseSwitchConfiguration.Policy, ConfiguredPlace.Inside("Hedging")).AddPipeline("orders", configuration.GetSection("P")),
        services: s =>
        {
            s.AddHealthChecks().AddResilience();
            if (lines is not null) s.AddSingleton<ILoggerFactory>(lines);
        });

    private static async Task<HealthReportEntry> HealthAsync(Desk desk) =>
        (await desk.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync()).Entries["resilience"];

    [Fact]
    public async Task It_has_a_log_line_a_metric_a_live_state_and_health()
    {
        Lines lines = new();
        await using Desk desk = await OpenAsync(Section(("PauseSwitch:EndSpread", "00:00:00")), lines);
        ResiliencePipeline orders = desk.Pipeline("orders");
        PauseSwitch pause = orders.Find<PauseSwitch>()!;
        SnapshotTests.Now(await desk.SnapshotAsync())[0].GetProperty("status").GetProperty("text").GetString().Should().Be("0 running");
        (await HealthAsync(desk)).Status.Should().Be(HealthStatus.Healthy);
        long counted = 0;
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Name == "pause_switch.rejections") l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) =>
        {
            if (tags.Contains(new KeyValuePair<string, object?>("resilience.pipeline", "orders"))) Interlocked.Add(ref counted, value);
        });
        listener.Start();

        pause.Pause(TimeSpan.FromMinutes(5), "we test");
        (await orders.TryExecuteAsync(_ => new ValueTask<int>(1))).Verdict.Should().Be(Verdict.Rejected);

        counted.Should().Be(1);
        lines.Written.Should().ContainSingle(l => l.Contains("call rejected: calls are paused since", StringComparison.Ordinal))
            .Which.Should().Contain("orders").And.Contain("because we test");
        JsonElement status = SnapshotTests.Now(await desk.SnapshotAsync())[0].GetProperty("status");
        status.GetProperty("condition").GetString().Should().Be("tripped");
        status.GetProperty("text").GetString().Should().Contain("because we test");
        HealthReportEntry health = await HealthAsync(desk);
        (health.Status, health.Description).Should().Be((HealthStatus.Degraded, "Open: orders/pause-switch."));
    }

    [Fact]
    public async Task It_stands_in_a_section_with_its_checks_its_warning_and_its_place_and_keeps_its_state_over_a_reload()
    {
        IConfigurationRoot configuration = Section(("TotalTimeout", "00:00:30"), ("Hedging", null), ("PauseSwitch:MaxPause", "00:00:10"),
            ("PauseSwitch:EndSpread", "00:00:00"));
        await using Desk desk = await OpenAsync(configuration);
        ResiliencePipeline orders = desk.Pipeline("orders");
        orders.Describe().Policies.Select(p => p.Name).Should().Equal("total-timeout", "hedging", "pause-switch");
        orders.Warnings.Select(w => w.Code).Should().Equal("PAUSE001");
        PauseSwitch pause = orders.Find<PauseSwitch>()!;
        pause.Pause(TimeSpan.FromMinutes(5), "we test");

        configuration["P:PauseSwitch:MaxPause"] = "00:00:20";
        configuration["P:AcceptedWarnings:0"] = "PAUSE001";
        configuration.Reload();
        orders.Find<PauseSwitch>().Should().BeSameAs(pause);
        (pause.IsPaused, orders.Warnings.Count).Should().Be((true, 0));

        await FluentActions.Awaiting(() => OpenAsync(Section(("PauseSwitch:EndSpred", "00:00:01")))).Should().ThrowAsync<OptionsValidationException>()
            .WithMessage("P:PauseSwitch:EndSpred is not a known setting; did you mean EndSpread?");
        await FluentActions.Awaiting(() => OpenAsync(Section(("PauseSwitch:MaxPause", "00:00:00")))).Should().ThrowAsync<OptionsValidationException>()
            .WithMessage("P:PauseSwitch:MaxPause is 0 ms, but must be from 1 ms to 24 h");
    }
}
