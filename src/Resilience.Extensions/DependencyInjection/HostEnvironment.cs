using System.Reflection;

namespace Resilience;

/// <summary>Asks the host of a container where it runs, without a reference to the package that hosts are made of.</summary>
internal static class HostEnvironment
{
    /// <summary>Null when the container has no host.</summary>
    internal static string? NameOf(IServiceProvider services)
    {
        // A constant name, so that the trimmer knows the type and keeps its property. Where there is no such assembly there is no host.
        Type? contract = Type.GetType("Microsoft.Extensions.Hosting.IHostEnvironment, Microsoft.Extensions.Hosting.Abstractions", throwOnError: false);
        if (contract is null || services.GetService(contract) is not { } host) return null;
        PropertyInfo? name = contract.GetProperty("EnvironmentName");
        return name?.GetValue(host) as string;
    }
}
