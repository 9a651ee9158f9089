using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Resilience.Configuration;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>What every builder gets from the container before the policies are added.</summary>
internal static class ContainerSetup
{
    internal static ILogger Logger(IServiceProvider services) =>
        SafeLogger.Of(services.GetService<ILoggerFactory>(), ResilienceLog.Category) ?? NullLogger.Instance;

    /// <summary>Whether the container has been disposed of; what other code disposed of is another matter.</summary>
    internal static bool IsGone(IServiceProvider services)
    {
        try
        {
            services.GetService<TimeProvider>();
            return false;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    internal static ReloadTelemetry Reloads(IServiceProvider services) => new(services.GetService<IMeterFactory>());

    /// <summary>Those who come to listen while the container lives hear this pipeline too.</summary>
    internal static void Connect(ResiliencePipelineBuilderBase builder, IServiceProvider services)
    {
        if (services.GetService<ResilienceEvents>() is { } events) builder.OnEvent(events.Publish, () => events.ObservesCalls);
    }

    internal static void Apply(ResiliencePipelineBuilderBase builder, IServiceProvider services, ILogger logger)
    {
        if (services.GetService<TimeProvider>() is { } time) builder.TimeProvider = time;
        builder.MeterFactory = services.GetService<IMeterFactory>();
        builder.EnvironmentName = HostEnvironment.NameOf(services);
        if (services.GetService<Randomness>() is { } randomness) builder.Randomness = randomness;
        if (logger is not NullLogger) builder.OnEvent(new EventLog(logger).Write);
        Connect(builder, services);
        foreach (PipelineDefaults defaults in services.GetServices<PipelineDefaults>()) defaults.Configure(builder, services);
    }
}
