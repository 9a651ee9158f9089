using Resilience.Overload;

namespace Resilience;

/// <summary>Adds the choice of an endpoint to a pipeline.</summary>
public static class EndpointPipelineBuilderExtensions
{
    /// <summary>Chooses an endpoint for each attempt; the delegate finds it under <see cref="EndpointSet.Chosen"/>. Stands inside retry and hedging, and
    /// outside throttles, circuit breakers and limits.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddEndpoints<TBuilder>(this TBuilder builder, Action<EndpointSetOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        EndpointSetOptions options = new();
        configure(options);
        return builder.AddEndpoints(options);
    }

    /// <inheritdoc cref="AddEndpoints{TBuilder}(TBuilder, Action{EndpointSetOptions})"/>
    public static TBuilder AddEndpoints<TBuilder>(this TBuilder builder, EndpointSetOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new EndpointPolicy(copy, environment));

    /// <summary>Adds a set that exists already, to share it between pipelines, or to change its list.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddEndpoints<TBuilder>(this TBuilder builder, EndpointSet endpoints)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        return builder.AddPolicy(new EndpointSetOptions { Name = endpoints.Name }, environment => new EndpointPolicy(endpoints, environment));
    }
}
