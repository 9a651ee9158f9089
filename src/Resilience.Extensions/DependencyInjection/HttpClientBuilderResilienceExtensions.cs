using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Resilience;
using Resilience.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives the clients of <c>IHttpClientFactory</c> resilience. Everything chains back to the builder of the client.</summary>
/// <remarks>
/// What is configured for one client overrides what was configured in <c>ConfigureHttpClientDefaults</c>, and defaults give each client its own
/// circuits, budgets and limits. Said twice to one client it is an error, at start and when the client is made: say
/// <see cref="RemoveResilience"/> to replace. The state stays when the factory makes handlers anew.
/// </remarks>
public static class HttpClientBuilderResilienceExtensions
{
    /// <summary>The standard pipeline: total timeout, retry, circuit breaker and attempt timeout, with defaults that fit together.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Changes the options. Runs when the client is first made.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder AddStandardResilience(this IHttpClientBuilder builder, Action<StandardResilienceOptions>? configure = null) =>
        builder.Add(new(NameOf(builder)) { Standard = (options, _) => configure?.Invoke(options) });

    /// <inheritdoc cref="AddStandardResilience(IHttpClientBuilder, Action{StandardResilienceOptions}?)"/>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Changes the options, with the services of the container at hand. Runs when the client is first made.</param>
    public static IHttpClientBuilder AddStandardResilience(this IHttpClientBuilder builder, Action<StandardResilienceOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Standard = configure });
    }

    /// <summary>The standard pipeline with numbers from configuration, followed live: circuits, budgets and limits keep their state
    /// across a change; a change that is wrong is rejected and logged, and the last good numbers stay.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="section">The section; see <see cref="StandardResilienceOptions"/>. Unknown keys are errors.</param>
    /// <param name="configure">What the code says; the section overrides it. Runs at each change again.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="section"/> is null.</exception>
    public static IHttpClientBuilder AddStandardResilience(
        this IHttpClientBuilder builder, IConfiguration section, Action<StandardResilienceOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(section);
        return builder.Add(new(NameOf(builder)) { Section = section, Standard = (options, _) => configure?.Invoke(options) });
    }

    /// <inheritdoc cref="AddStandardResilience(IHttpClientBuilder, IConfiguration, Action{StandardResilienceOptions}?)"/>
    /// <param name="builder">The client.</param>
    /// <param name="configSectionPath">The path of the section in the container's configuration, such as <c>Resilience:HttpClients:payments</c>.</param>
    /// <param name="configure">What the code says; the section overrides it. Runs at each change again.</param>
    public static IHttpClientBuilder AddStandardResilience(
        this IHttpClientBuilder builder, string configSectionPath, Action<StandardResilienceOptions>? configure = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(configSectionPath);
        return builder.Add(new(NameOf(builder)) { Path = configSectionPath, Standard = (options, _) => configure?.Invoke(options) });
    }

    /// <summary>A pipeline of your own. The builder begins with <see cref="HttpClassifier.Default"/>.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Adds the policies. Runs once for each authority, and once to check.</param>
    /// <param name="options">Changes what the handlers do besides.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="configure"/> is null.</exception>
    public static IHttpClientBuilder AddResilience(
        this IHttpClientBuilder builder, Action<ResiliencePipelineBuilder<HttpResponseMessage>> configure, Action<CustomResilienceOptions>? options = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Custom = (pipeline, _) => configure(pipeline), CustomOptions = options });
    }

    /// <inheritdoc cref="AddResilience(IHttpClientBuilder, Action{ResiliencePipelineBuilder{HttpResponseMessage}}, Action{CustomResilienceOptions}?)"/>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Adds the policies, with the services of the container at hand.</param>
    /// <param name="options">Changes what the handlers do besides.</param>
    public static IHttpClientBuilder AddResilience(
        this IHttpClientBuilder builder,
        Action<ResiliencePipelineBuilder<HttpResponseMessage>, IServiceProvider> configure,
        Action<CustomResilienceOptions>? options = null)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return builder.Add(new(NameOf(builder)) { Custom = configure, CustomOptions = options });
    }

    /// <summary>Removes what was configured for this client, and keeps the defaults off it until something else is configured: the call by which
    /// one registration is replaced by another.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder RemoveResilience(this IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        string? client = NameOf(builder);
        for (int i = builder.Services.Count - 1; i >= 0; i--)
        {
            if (!builder.Services[i].IsKeyedService && builder.Services[i].ImplementationInstance is HttpRegistration known && known.Client == client)
                builder.Services.RemoveAt(i);
        }

        if (client is not null) builder.Services.RemoveAllKeyed<HttpResilience>(client);
        return builder.Add(new(client) { IsRemoval = true });
    }

    /// <summary>Gives each POST and PATCH an idempotency key, the same on each attempt, which makes them repeatable. The server must honor
    /// it. Redirects are then followed by us, so that the key goes to no other origin.</summary>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Changes the options.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder AddIdempotencyKey(this IHttpClientBuilder builder, Action<IdempotencyKeyOptions>? configure = null) =>
        builder.AddIdempotencyKey((options, _) => configure?.Invoke(options));

    /// <inheritdoc cref="AddIdempotencyKey(IHttpClientBuilder, Action{IdempotencyKeyOptions}?)"/>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Changes the options, with the services of the container at hand.</param>
    public static IHttpClientBuilder AddIdempotencyKey(this IHttpClientBuilder builder, Action<IdempotencyKeyOptions, IServiceProvider> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        AddSetup(builder.Services);
        builder.Services.AddSingleton(new KeyRegistration(NameOf(builder), configure));
        return builder.Act(static chain => Setup(chain).AddIdempotencyKey(chain));
    }

    /// <summary>Removes what was configured about keys for this client, and keeps the defaults off it until something else is configured.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IHttpClientBuilder RemoveIdempotencyKey(this IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        string? client = NameOf(builder);
        for (int i = builder.Services.Count - 1; i >= 0; i--)
        {
            if (!builder.Services[i].IsKeyedService && builder.Services[i].ImplementationInstance is KeyRegistration known && known.Client == client)
                builder.Services.RemoveAt(i);
        }

        builder.Services.AddSingleton(new KeyRegistration(client, null));
        return builder;
    }

    private static IHttpClientBuilder Add(this IHttpClientBuilder builder, HttpRegistration registration)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AddSetup(builder.Services);
        builder.Services.AddSingleton(registration);
        if (registration is { Client: { } client, IsRemoval: false })
        {
            builder.Services.TryAddKeyedTransient(
                client, static (services, key) => services.GetRequiredService<HttpResilienceProvider>().GetResilience((string)key!));
        }

        return registration.IsRemoval ? builder : builder.Act(static chain => Setup(chain).AddResilience(chain));
    }

    internal static void AddSetup(IServiceCollection services)
    {
        services.AddResilience();
        services.TryAddSingleton<HttpResilienceProvider>();
        services.AddStartCheck<HttpResilienceProvider>();
        services.TryAddSingleton(static s => new HttpClientSetup(s.GetRequiredService<HttpResilienceProvider>(), s.GetService<ILoggerFactory>()));
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IPostConfigureOptions<HttpClientFactoryOptions>, HttpClientPostSetup>());
    }

    private static IHttpClientBuilder Act(this IHttpClientBuilder builder, Action<HttpMessageHandlerBuilder> act)
    {
        builder.Services.Configure<HttpClientFactoryOptions>(builder.Name, options => options.HttpMessageHandlerBuilderActions.Add(act));
        return builder;
    }

    private static HttpClientSetup Setup(HttpMessageHandlerBuilder chain) => chain.Services.GetRequiredService<HttpClientSetup>();

    /// <summary>Null for the defaults of all clients.</summary>
    private static string? NameOf(IHttpClientBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.Name;
    }

    /// <summary>So that the one setup is also found as a post-configuration.</summary>
    private sealed class HttpClientPostSetup(HttpClientSetup setup) : IPostConfigureOptions<HttpClientFactoryOptions>
    {
        public void PostConfigure(string? name, HttpClientFactoryOptions options) => setup.PostConfigure(name, options);
    }
}
