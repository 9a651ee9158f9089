using Resilience;
using Resilience.Overload;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives the clients of <c>IHttpClientFactory</c> several endpoints.</summary>
public static class HttpEndpointsBuilderExtensions
{
    /// <summary>Sends each attempt of this client to one of several endpoints: the less loaded of two, none that fails, retries and hedges to another one.
    /// Needs <c>AddStandardResilience</c> on the same client; in a pipeline of your own say <c>AddEndpoints</c> on its builder.</summary>
    /// <param name="builder">The client. All its requests go to these endpoints, and keep the name that they were made with as their <c>Host</c>.</param>
    /// <param name="configure">Says which, and how one is chosen. A section of configuration (<c>Endpoints</c>) overrides it.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IHttpClientBuilder AddEndpoints(this IHttpClientBuilder builder, Action<EndpointSetOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.AddEndpoints((options, _) => configure(options));
    }

    /// <inheritdoc cref="AddEndpoints(IHttpClientBuilder, Action{EndpointSetOptions})"/>
    /// <param name="builder">The client.</param>
    /// <param name="configure">The same, with the services of the container at hand.</param>
    public static IHttpClientBuilder AddEndpoints(this IHttpClientBuilder builder, Action<EndpointSetOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(builder.Name, configure));
    }

    /// <summary>The same with a set whose list the application changes (<see cref="EndpointSet.SetAddresses"/>), from a discovery of its own for
    /// example.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="make">Gives the set. Runs once, when the client is first made.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static IHttpClientBuilder AddEndpoints(this IHttpClientBuilder builder, Func<IServiceProvider, EndpointSet> make)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(make);
        return builder.Add(new(builder.Name, null, make));
    }

    private static IHttpClientBuilder Add(this IHttpClientBuilder builder, EndpointRegistration registration)
    {
        HttpClientBuilderResilienceExtensions.AddSetup(builder.Services);
        builder.Services.AddSingleton(registration);
        return builder;
    }
}
