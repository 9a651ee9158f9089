using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Resilience.Events;

namespace Resilience.Extensibility;

/// <summary>For parts that report events and belong to no pipeline.</summary>
public static class ServiceProviderEventExtensions
{
    /// <summary>Where the events of a container go: its log, and those who listen to its <see cref="ResilienceEvents"/>. Give it to what you make alone, such
    /// as a <see cref="Overload.LoadShedder"/>.</summary>
    /// <param name="services">The container. A logger or listener that throws is counted and swallowed.</param>
    /// <exception cref="ArgumentNullException"><paramref name="services"/> is null.</exception>
    public static Action<ResilienceEvent> CreateEventListener(this IServiceProvider services)
    {
        ArgumentNullException.ThrowIfNull(services);
        Action<ResilienceEvent>? log = ContainerSetup.Logger(services) is var logger and not NullLogger ? new EventLog(logger).Write : null;
        Action<ResilienceEvent>? publish = services.GetService<ResilienceEvents>() is { } events ? events.Publish : null;
        return happened =>
        {
            log?.Invoke(happened);
            publish?.Invoke(happened);
        };
    }
}
