using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Resilience.ObservabilitySample;

/// <summary>What both services share: logs as JSON, traces and metrics by OpenTelemetry.</summary>
internal static class Service
{
    internal static WebApplicationBuilder CreateBuilder(string name, string port, string folder)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Warning).AddFilter("Resilience", LogLevel.Debug);
        builder.Logging.AddJsonConsole(o => o.IncludeScopes = true);

        OpenTelemetryBuilder telemetry = builder.Services.AddOpenTelemetry().ConfigureResource(r => r.AddService(name))
            .WithTracing(t => t
                .AddSource("Microsoft.AspNetCore", "System.Net.Http", ResilienceTelemetry.ActivitySourceName)
                .AddProcessor(new SimpleActivityExportProcessor(new SpanFile(name, folder))))
            .WithMetrics(m => m
                .AddMeter("Microsoft.AspNetCore.Hosting", "System.Net.Http", ResilienceTelemetry.MeterName)
                .AddPrometheusExporter());
        if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }) telemetry.UseOtlpExporter(); // a collector, Tempo, Jaeger …
        return builder;
    }
}
