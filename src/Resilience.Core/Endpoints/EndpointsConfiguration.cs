using Resilience.Extensibility;
using Resilience.Overload;

namespace Resilience;

/// <summary>How a section of configuration names endpoints.</summary>
internal static class EndpointsConfiguration
{
    internal static ConfigurablePolicy Policy { get; } = new ConfigurablePolicy<EndpointSetOptions>(
        "Endpoints", "The endpoints of the service, and how one is chosen for each attempt.", static (builder, options) => builder.AddEndpoints(options))
    {
        Noun = "the choice of an endpoint",
    };
}
