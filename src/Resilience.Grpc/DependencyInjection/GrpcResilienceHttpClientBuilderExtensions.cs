using Grpc.Net.ClientFactory;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;
using Resilience.Grpc;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives the clients of <c>AddGrpcClient</c> resilience. Everything chains back to the builder of the client.</summary>
/// <remarks>What is said of one client overrides what is said in <c>ConfigureHttpClientDefaults</c>, which holds for gRPC clients alone. Said twice to one
/// client it is an error, at start and when the client is made: say <see cref="RemoveGrpcResilience"/> to replace.</remarks>
public static class GrpcResilienceHttpClientBuilderExtensions
{
    /// <summary>The standard pipeline around each call: total timeout, retry, circuit breaker and attempt timeout, with defaults that fit together.</summary>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Changes the options. Runs when the client is first made.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder AddGrpcResilience(this IHttpClientBuilder builder, Action<GrpcResilienceOptions>? configure = null) =>
        builder.Add((options, _) => configure?.Invoke(options));

    /// <inheritdoc cref="AddGrpcResilience(IHttpClientBuilder, Action{GrpcResilienceOptions}?)"/>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Changes the options, with the services of the container at hand. Runs when the client is first made.</param>
    public static IHttpClientBuilder AddGrpcResilience(this IHttpClientBuilder builder, Action<GrpcResilienceOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(configure);
    }

    /// <summary>Removes what was configured for this client, and keeps the defaults off it until something else is configured.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder RemoveGrpcResilience(this IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        for (int i = builder.Services.Count - 1; i >= 0; i--)
        {
            if (!builder.Services[i].IsKeyedService && builder.Services[i].ImplementationInstance is GrpcRegistration known && known.Client == builder.Name)
                builder.Services.RemoveAt(i);
        }

        return builder.Add(null);
    }

    private static IHttpClientBuilder Add(this IHttpClientBuilder builder, Action<GrpcResilienceOptions, IServiceProvider>? configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        IServiceCollection services = builder.Services;
        services.AddResilience();
        services.AddSingleton(new GrpcRegistration(builder.Name, configure));
        services.TryAddSingleton<GrpcResilienceProvider>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<GrpcClientFactoryOptions>, GrpcClientSetup>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<HttpClientFactoryOptions>, GrpcClientSetup>());
        services.AddOptions<GrpcStartCheck>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<GrpcStartCheck>, GrpcStartCheck.Validator>());
        if (builder.Name is { } client && configure is not null)
            services.TryAddKeyedSingleton(client, static (s, key) => s.GetRequiredService<GrpcResilienceProvider>().GetResilience((string)key!));
        return builder;
    }
}
