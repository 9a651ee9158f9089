using Resilience.Overload;

namespace Resilience;

/// <summary>The endpoints of a client.</summary>
/// <param name="Client">The name of the client.</param>
/// <param name="Configure">What the code says of them; null where <paramref name="Make"/> gives the set.</param>
/// <param name="Make">Gives the set.</param>
internal sealed record EndpointRegistration(
    string? Client, Action<EndpointSetOptions, IServiceProvider>? Configure, Func<IServiceProvider, EndpointSet>? Make = null);
