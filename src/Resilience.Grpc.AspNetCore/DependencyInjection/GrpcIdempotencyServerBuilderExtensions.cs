using Grpc.AspNetCore.Server;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Resilience.Grpc;
using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Gives methods of gRPC services idempotency keys.</summary>
public static class GrpcIdempotencyServerBuilderExtensions
{
    /// <summary>Methods that are named here, or that have <see cref="RequireIdempotencyKeyAttribute"/> on them or on their service, are executed once for each
    /// key; a repeated call receives the first answer.</summary>
    /// <param name="builder">What <c>services.AddGrpc()</c> returned.</param>
    /// <param name="configure">Names methods, and changes the options of all of them.</param>
    /// <remarks>Needs <c>services.AddIdempotency()</c>, and callers with a name. A missing scope, an unknown gate, a name that is no method's and a stream stop
    /// the host at its start. The interceptor stands innermost of those of all services, wherever this is called.</remarks>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IGrpcServerBuilder AddIdempotency(this IGrpcServerBuilder builder, Action<GrpcIdempotencyOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        IServiceCollection services = builder.Services;
        services.AddOptions<GrpcIdempotencyOptions>();
        if (configure is not null) services.Configure(configure);
        services.TryAddSingleton(static provider => new CallerQuotas(provider));
        services.TryAddSingleton(static provider => new IdempotencyInterceptor(provider));
        services.TryAddEnumerable(ServiceDescriptor.Transient<IStartupFilter, GrpcIdempotencyStartup>());
        services.PostConfigure<GrpcServiceOptions>(static options =>
        {
            if (options.Interceptors.All(static i => i.Type != typeof(IdempotencyInterceptor))) options.Interceptors.Add<IdempotencyInterceptor>();
        });
        return builder;
    }
}
