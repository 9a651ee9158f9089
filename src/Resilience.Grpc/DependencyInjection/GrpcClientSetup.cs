using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;
using Grpc.Net.ClientFactory;
using Microsoft.Extensions.Http;
using Microsoft.Extensions.Options;

namespace Resilience.Grpc;

/// <summary>Puts the interceptor around what <c>AddGrpcClient</c> makes, and the witness under it. Comes after everything that was configured for the
/// client.</summary>
internal sealed class GrpcClientSetup(GrpcResilienceProvider provider)
    : IPostConfigureOptions<GrpcClientFactoryOptions>, IPostConfigureOptions<HttpClientFactoryOptions>
{
    private const string StackedRetries = "RES020";

    /// <summary>Outermost of the interceptors of the channel, whenever those were added.</summary>
    public void PostConfigure(string? name, GrpcClientFactoryOptions options)
    {
        string client = name ?? Options.DefaultName;
        if (!provider.IsRegistered(client)) return;
        options.InterceptorRegistrations.Insert(0, new(InterceptorScope.Channel, _ => new ResilienceInterceptor(provider.GetResilience(client))));
        options.ChannelOptionsActions.Add(channel => LookAt(channel, client));
    }

    public void PostConfigure(string? name, HttpClientFactoryOptions options)
    {
        if (!provider.IsRegistered(name ?? Options.DefaultName) || !IsOfGrpc(options)) return;
        options.HttpMessageHandlerBuilderActions.Add(AddWitness);
    }

    private static bool IsOfGrpc(HttpClientFactoryOptions options) =>
        options.HttpMessageHandlerBuilderActions.Any(static action => action.Target?.GetType().Assembly == typeof(GrpcClientFactory).Assembly);

    private static void AddWitness(HttpMessageHandlerBuilder chain)
    {
        bool isAlone = chain.AdditionalHandlers.All(static h => IsKnown(h)) && chain.PrimaryHandler.GetType() == typeof(SocketsHttpHandler);
        chain.AdditionalHandlers.Add(new GrpcTransportWitness(isAlone));
    }

    /// <summary>Handlers of the factory and ours send what they get once: ours lets gRPC pass.</summary>
    private static bool IsKnown(DelegatingHandler handler) =>
        handler.GetType().Assembly == typeof(HttpMessageHandlerBuilder).Assembly || handler.GetType().Assembly == typeof(Http.ResilienceHttpHandler).Assembly;

    /// <summary>A service config that repeats or hedges does it below us, so that its attempts multiply with ours.</summary>
    private void LookAt(GrpcChannelOptions channel, string client)
    {
        GrpcResilience resilience = provider.GetResilience(client);
        resilience.Follow(channel.ThrowOperationCanceledOnCancellation);
        long ours = resilience.MaxAttempts;
        if (ours == 1) return;
        channel.DisableResolverServiceConfig = true;
        MethodConfig? repeating = channel.ServiceConfig?.MethodConfigs.FirstOrDefault(static m => m.RetryPolicy is not null || m.HedgingPolicy is not null);
        if (repeating is null || resilience.Options.AcceptedWarnings.Contains(StackedRetries)) return;
        int below = repeating.RetryPolicy?.MaxAttempts ?? repeating.HedgingPolicy?.MaxAttempts ?? 2;
        throw GrpcResilienceProvider.Wrong(client,
        [
            $"{StackedRetries}: the service config of the channel repeats calls to {NamesOf(repeating)} below this pipeline: up to {below} × {ours} "
            + $"attempts for one call. Take its policy out, {(resilience.IsStandard ? "set Retry to null" : "add no retry")} here to leave the retrying to it, "
            + "or accept the finding.",
        ]);
    }

    private static string NamesOf(MethodConfig config) => string.Join(", ", config.Names.Select(static n =>
        string.IsNullOrEmpty(n.Service) ? "all services" : string.IsNullOrEmpty(n.Method) ? n.Service : $"{n.Service}/{n.Method}"));
}
