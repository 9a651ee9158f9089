using Resilience.Idempotency;

namespace Resilience;

/// <summary>Adds idempotency to a pipeline.</summary>
public static class IdempotencyPipelineBuilderExtensions
{
    /// <summary>Adds idempotency: a call whose key was used before is not executed, but receives the outcome of the first. Stands outside
    /// the retry, so that all attempts are one claim.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="gate">The gate, which may be shared with other pipelines.</param>
    /// <param name="options">Default: <see cref="IdempotencyPolicyOptions"/> as they come.</param>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> or <paramref name="gate"/> is null.</exception>
    public static TBuilder AddIdempotency<TBuilder>(this TBuilder builder, IdempotencyGate gate, IdempotencyPolicyOptions? options = null)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(gate);
        IdempotencyPolicyOptions used = options ?? new();
        return builder.AddPolicy(used, (copy, environment) => new IdempotencyPolicy(gate, copy, environment));
    }
}
