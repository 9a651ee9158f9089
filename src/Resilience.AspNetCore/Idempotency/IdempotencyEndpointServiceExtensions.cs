using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>What endpoints need beside <c>AddIdempotency()</c>.</summary>
public static class IdempotencyEndpointServiceExtensions
{
    /// <summary>Sets how endpoints use keys, and describes the header in OpenAPI documents.</summary>
    /// <param name="builder">What <c>AddIdempotency()</c> returned.</param>
    /// <param name="configure">Changes the options of all endpoints.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IIdempotencyBuilder AddEndpoints(this IIdempotencyBuilder builder, Action<IdempotencyEndpointOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<IdempotencyEndpointOptions>();
        if (configure is not null) builder.Services.Configure(configure);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Transient<IApiDescriptionProvider, IdempotencyApiDescriptions>());
        return builder;
    }
}
