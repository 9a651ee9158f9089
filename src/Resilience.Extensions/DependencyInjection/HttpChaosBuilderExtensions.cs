using Microsoft.Extensions.Http;
using Resilience;
using Resilience.Http;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives the clients of <c>IHttpClientFactory</c> chaos.</summary>
public static class HttpChaosBuilderExtensions
{
    /// <summary>Disturbs the requests of this client next to the wire, inside its retries, circuits and timeouts, in whatever order they were
    /// said. Faults, lost replies and results are those of <see cref="HttpChaos.UseHttpFaults"/>.</summary>
    /// <remarks>
    /// Off at first. Its switch is a keyed service: <c>services.GetRequiredKeyedService&lt;ChaosSwitch&gt;("payments")</c>. Its
    /// telemetry is that of a pipeline named after the client with <c>-chaos</c>. The host does not start in an environment in which
    /// chaos is not allowed. The request of a call is <see cref="HttpChaos.RequestOf"/>.
    /// </remarks>
    /// <param name="builder">The client.</param>
    /// <param name="configure">Sets rates, schedule, filter. Runs once.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The builder is that of the defaults of all clients.</exception>
    /// <exception cref="InvalidOperationException">The client has chaos already.</exception>
    public static IHttpClientBuilder AddHttpChaos(this IHttpClientBuilder builder, Action<ChaosOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(configure);
        string client = builder.Name ?? throw new ArgumentException(
            "Chaos is set for each client by its name: call AddHttpChaos on each client, not on the defaults of all.", nameof(builder));
        if (builder.Services.Any(s => s.IsKeyedService && s.ServiceType == typeof(HttpChaosClient) && client.Equals(s.ServiceKey)))
            throw new InvalidOperationException($"The HttpClient '{client}' has chaos already.");
        builder.Services.AddResilience();
        builder.Services.AddKeyedSingleton(client, (services, _) => new HttpChaosClient(services, client, configure));
        builder.Services.AddKeyedSingleton(client, static (services, key) => services.GetRequiredKeyedService<HttpChaosClient>(key).Switch);
        builder.Services.AddSingleton<IStartCheck>(services => new HttpChaosClient.Check(services, client));

        // After everything that was configured for the client, so that the handler is the innermost.
        builder.Services.PostConfigure<HttpClientFactoryOptions>(client, options => options.HttpMessageHandlerBuilderActions.Add(
            chain => chain.AdditionalHandlers.Add(chain.Services.GetRequiredKeyedService<HttpChaosClient>(client).NewHandler())));
        return builder;
    }
}
