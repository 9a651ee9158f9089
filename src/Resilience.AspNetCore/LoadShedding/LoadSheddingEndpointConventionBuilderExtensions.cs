using Resilience.Overload;

namespace Microsoft.AspNetCore.Builder;

/// <summary>How endpoints stand to load shedding.</summary>
public static class LoadSheddingEndpointConventionBuilderExtensions
{
    /// <summary>Requests to these endpoints are never counted, made to wait or rejected: for health checks, whose quick answers would make everything else look
    /// slow.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder DisableLoadShedding<TBuilder>(this TBuilder builder)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithMetadata(new DisableLoadSheddingAttribute());
    }

    /// <summary>Requests to these endpoints share a limit with those of the same group, beside the common one: for work that uses another resource.</summary>
    /// <param name="builder">An endpoint, or a group of them.</param>
    /// <param name="group">The name of the group, shown in telemetry.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="group"/> is null or empty.</exception>
    public static TBuilder WithLoadSheddingGroup<TBuilder>(this TBuilder builder, string group)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithMetadata(new LoadSheddingGroupAttribute(group));
    }
}
