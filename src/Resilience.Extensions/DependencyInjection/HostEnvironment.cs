using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Resilience;

/// <summary>Asks the host of a container where it runs.</summary>
internal static class HostEnvironment
{
    /// <summary>Null when the container has no host.</summary>
    internal static string? NameOf(IServiceProvider services) => services.GetService<IHostEnvironment>()?.EnvironmentName;
}
