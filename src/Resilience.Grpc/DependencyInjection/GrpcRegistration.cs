namespace Resilience.Grpc;

/// <summary>What is registered for a gRPC client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all gRPC clients.</param>
/// <param name="Configure">Sets the options; null for "no resilience here", which overrides the defaults too.</param>
internal sealed record GrpcRegistration(string? Client, Action<GrpcResilienceOptions, IServiceProvider>? Configure);
