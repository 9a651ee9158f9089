using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;
using Resilience;
using Resilience.Grpc;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives the clients of <c>AddGrpcClient</c> resilience. Everything chains back to the builder of the client.</summary>
/// <remarks>What is said of one client overrides what is said in <c>ConfigureHttpClientDefaults</c>, which holds for gRPC clients alone. Said twice to one
/// client it is an error, at start and when the client is made: say <see cref="RemoveGrpcResilience"/> to replace. The state stays when the factory makes
/// channels anew.</remarks>
public static class GrpcResilienceHttpClientBuilderExtensions
{
    /// <summary>The standard pipeline around each call: total timeout, retry, circuit breaker and attempt timeout, with defaults that fit together.</summary>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Changes the options. Runs when the client is first made.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder AddGrpcResilience(this IHttpClientBuilder builder, Action<GrpcResilienceOptions>? configure = null) =>
        builder.Add(new(NameOf(builder)) { Standard = (options, _) => configure?.Invoke(options) });

    /// <inheritdoc cref="AddGrpcResilience(IHttpClientBuilder, Action{GrpcResilienceOptions}?)"/>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Changes the options, with the services of the container at hand. Runs when the client is first made.</param>
    public static IHttpClientBuilder AddGrpcResilience(this IHttpClientBuilder builder, Action<GrpcResilienceOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Standard = configure });
    }

    /// <summary>The standard pipeline with numbers from configuration, followed live: circuits, budgets and limits keep their state
    /// across a change; a change that is wrong is rejected and logged, and the last good numbers stay.</summary>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="section">The section; see <see cref="GrpcResilienceOptions"/>. Unknown keys are errors.</param>
    /// <param name="configure">What the code says, such as the methods that may be repeated; the section overrides it. Runs at each change again.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="section"/> is null.</exception>
    public static IHttpClientBuilder AddGrpcResilience(
        this IHttpClientBuilder builder, IConfiguration section, Action<GrpcResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(section);
        return builder.Add(new(NameOf(builder)) { Section = section, Standard = (options, _) => configure?.Invoke(options) });
    }

    /// <inheritdoc cref="AddGrpcResilience(IHttpClientBuilder, IConfiguration, Action{GrpcResilienceOptions}?)"/>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration, such as <c>Resilience:GrpcClients:orders</c>.</param>
    /// <param name="configure">What the code says, such as the methods that may be repeated; the section overrides it. Runs at each change again.</param>
    public static IHttpClientBuilder AddGrpcResilience(
        this IHttpClientBuilder builder, string configSectionPath, Action<GrpcResilienceOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(configSectionPath);
        return builder.Add(new(NameOf(builder)) { Path = configSectionPath, Standard = (options, _) => configure?.Invoke(options) });
    }

    /// <summary>A pipeline of your own in place of the standard one. What the statuses of gRPC mean, and what may be repeated, stays as it is.</summary>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Adds the policies of unary calls. Runs once for each target.</param>
    /// <param name="options">Changes what the interceptor does besides.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="configure"/> is null.</exception>
    public static IHttpClientBuilder AddGrpcPipeline(
        this IHttpClientBuilder builder, Action<ResiliencePipelineBuilder> configure, Action<GrpcPipelineOptions>? options = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Custom = (pipeline, _) => configure(pipeline), CustomOptions = options });
    }

    /// <inheritdoc cref="AddGrpcPipeline(IHttpClientBuilder, Action{ResiliencePipelineBuilder}, Action{GrpcPipelineOptions}?)"/>
    /// <param name="builder">The client that <c>AddGrpcClient</c> has made.</param>
    /// <param name="configure">Adds the policies of unary calls, with the services of the container at hand. Runs once for each target.</param>
    /// <param name="options">Changes what the interceptor does besides.</param>
    public static IHttpClientBuilder AddGrpcPipeline(
        this IHttpClientBuilder builder, Action<ResiliencePipelineBuilder, IServiceProvider> configure, Action<GrpcPipelineOptions>? options = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Custom = configure, CustomOptions = options });
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

        return builder.Add(new(builder.Name));
    }

    private static IHttpClientBuilder Add(this IHttpClientBuilder builder, GrpcRegistration registration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        IServiceCollection services = builder.Services;
        services.AddResilience();
        services.AddSingleton(registration);
        services.TryAddSingleton<GrpcResilienceProvider>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<GrpcClientFactoryOptions>, GrpcClientSetup>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<HttpClientFactoryOptions>, GrpcClientSetup>());
        services.AddOptions<GrpcStartCheck>().ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<GrpcStartCheck>, GrpcStartCheck.Validator>());
        if (registration is { Client: { } client, IsRemoval: false })
            services.TryAddKeyedSingleton(client, static (s, key) => s.GetRequiredService<GrpcResilienceProvider>().GetResilience((string)key!));
        return builder;
    }

    /// <summary>Null for the defaults of all clients.</summary>
    private static string? NameOf(IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Name;
    }
}
