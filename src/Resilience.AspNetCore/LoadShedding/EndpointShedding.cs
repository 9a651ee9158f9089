using Microsoft.AspNetCore.Http;

namespace Resilience.Overload;

/// <summary>What an endpoint says of load shedding, looked up once for each.</summary>
/// <param name="IsExempt">Its requests are left alone.</param>
/// <param name="Group">Whose limit it shares.</param>
/// <param name="Criticality">Its class, where it has one.</param>
internal sealed record EndpointShedding(bool IsExempt, string? Group, Criticality? Criticality)
{
    /// <summary>The name that the framework gives to health checks, which it maps without any other sign.</summary>
    private const string HealthChecks = "Health checks";

    internal static EndpointShedding None { get; } = new(false, null, null);

    internal static EndpointShedding Of(Endpoint endpoint)
    {
        ILoadSheddingMetadata? own = endpoint.Metadata.GetMetadata<ILoadSheddingMetadata>();
        bool isHealth = own is null && string.Equals(endpoint.DisplayName, HealthChecks, StringComparison.Ordinal);
        return new(
            own?.IsDisabled == true || isHealth || StreamedResponses.IsDeclared(endpoint),
            own?.Group,
            endpoint.Metadata.GetMetadata<RequestCriticalityAttribute>()?.Criticality);
    }
}
