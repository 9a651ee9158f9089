using Resilience.Grpc;

namespace Resilience;

/// <summary>The retry of gRPC in a pipeline of your own.</summary>
public static class GrpcRetryBuilderExtensions
{
    /// <summary>Adds the retry that the standard pipeline has: what the server pushes back with (<c>grpc-retry-pushback-ms</c>) is waited for exactly, and
    /// after it the backoff begins anew. A retry of <c>AddRetry</c> waits for it too, with its own jitter, and goes on in its backoff.</summary>
    /// <param name="builder">The builder; its randomness is that of the waits.</param>
    /// <param name="configure">Changes the options. Default: three retries, waiting up to 200, 400 and 800 ms.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range.</exception>
    public static ResiliencePipelineBuilder AddGrpcRetry(this ResiliencePipelineBuilder builder, Action<RetryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        RetryOptions options = new() { RetryAfterJitter = 0 };
        configure?.Invoke(options);
        return builder.AddRetry(PushbackWaits.Within(options, builder.Randomness));
    }
}
