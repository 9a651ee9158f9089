namespace Resilience;

/// <summary>For packages that make pipelines of their own in a container.</summary>
public static class ContainerPipelineBuilderExtensions
{
    /// <summary>Gives a builder what every pipeline of the container gets before its policies are added: its source of time, its meters, the name of its
    /// environment, its randomness, the log and the listeners of <see cref="Events.ResilienceEvents"/>, and what was configured for all pipelines.</summary>
    /// <param name="builder">A builder of a pipeline that lives as long as the container.</param>
    /// <param name="services">The container, on which <c>AddResilience</c> was called.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder UseServices<TBuilder>(this TBuilder builder, IServiceProvider services)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(services);
        ContainerSetup.Apply(builder, services, ContainerSetup.Logger(services));
        return builder;
    }
}
