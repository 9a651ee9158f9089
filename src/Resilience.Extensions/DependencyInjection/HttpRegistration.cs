using Microsoft.Extensions.Configuration;
using Resilience.Http;

namespace Resilience;

/// <summary>What is registered for the handlers of a client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all clients.</param>
internal sealed record HttpRegistration(string? Client)
{
    /// <summary>The standard pipeline: what the code says of it.</summary>
    internal Action<StandardResilienceOptions, IServiceProvider>? Standard { get; init; }

    /// <summary>Where the settings stand, if they do.</summary>
    internal IConfiguration? Section { get; init; }

    /// <summary>The path of the section, when it is the container that knows the configuration.</summary>
    internal string? Path { get; init; }

    /// <summary>A pipeline of the user's own.</summary>
    internal Action<ResiliencePipelineBuilder<HttpResponseMessage>, IServiceProvider>? Custom { get; init; }

    /// <summary>The options of the handlers around it.</summary>
    internal Action<CustomResilienceOptions>? CustomOptions { get; init; }

    /// <summary>True for "no resilience here", which overrides the defaults too.</summary>
    internal bool IsRemoval { get; init; }
}
