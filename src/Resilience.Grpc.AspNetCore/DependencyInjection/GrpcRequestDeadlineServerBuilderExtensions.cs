using Grpc.AspNetCore.Server;
using Resilience.Grpc;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Errors of gRPC methods that callers shall not repeat.</summary>
public static class GrpcRequestDeadlineServerBuilderExtensions
{
    /// <summary>A method that ends with an error of which a call of the request has given up answers with <c>grpc-retry-pushback-ms: -1</c>, if
    /// <c>app.UseRequestDeadlines()</c> is there.</summary>
    /// <param name="builder">What <c>services.AddGrpc()</c> returned.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static IGrpcServerBuilder AddRequestDeadlines(this IGrpcServerBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.PostConfigure<GrpcServiceOptions>(static options =>
        {
            if (options.Interceptors.All(static i => i.Type != typeof(DoNotRetryInterceptor))) options.Interceptors.Add<DoNotRetryInterceptor>();
        });
        return builder;
    }
}
