using Microsoft.Extensions.Configuration;

namespace Resilience.Grpc;

/// <summary>What is registered for a gRPC client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all gRPC clients.</param>
internal sealed record GrpcRegistration(string? Client)
{
    /// <summary>The standard pipeline: what the code says of it.</summary>
    internal Action<GrpcResilienceOptions, IServiceProvider>? Standard { get; init; }

    /// <summary>Where the settings stand, if they do.</summary>
    internal IConfiguration? Section { get; init; }

    /// <summary>The path of the section, when it is the container that knows the configuration.</summary>
    internal string? Path { get; init; }

    /// <summary>A pipeline of the user's own.</summary>
    internal Action<ResiliencePipelineBuilder, IServiceProvider>? Custom { get; init; }

    /// <summary>The options besides it.</summary>
    internal Action<GrpcPipelineOptions>? CustomOptions { get; init; }

    /// <summary>True for "no resilience here", which overrides the defaults too.</summary>
    internal bool IsRemoval => Standard is null && Custom is null;
}
