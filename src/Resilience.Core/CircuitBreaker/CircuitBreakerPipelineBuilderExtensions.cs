using Resilience.Extensibility;

namespace Resilience;

/// <summary>Adds circuit breakers to a pipeline.</summary>
public static class CircuitBreakerPipelineBuilderExtensions
{
    /// <summary>Adds a circuit breaker with the default options.</summary>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder.AddCircuitBreaker(new CircuitBreakerOptions());

    /// <summary>Adds a circuit breaker.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreakerOptions options)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddPolicy(options, static (copy, environment) => new CircuitBreakerPolicy(copy, environment));

    /// <summary>Adds a circuit breaker whose options are set by the delegate.</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, Action<CircuitBreakerOptions> configure)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(configure);
        CircuitBreakerOptions options = new();
        configure(options);
        return builder.AddCircuitBreaker(options);
    }

    /// <summary>Adds a breaker that exists already: to share it between pipelines, or to hold it in hand (state, isolate, close).</summary>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreaker breaker)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(breaker);
        return builder.AddPolicy(new SharedBreakerOptions(breaker.Name), environment => new CircuitBreakerPolicy(breaker, environment));
    }

    /// <summary>Adds one breaker per key: authority, shard, tenant. One key's outage does not stop the others.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="breakers">The breakers by key, with bounded memory.</param>
    /// <param name="keyOf">The key of a call; null or a throw means the empty key.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static TBuilder AddCircuitBreaker<TBuilder>(this TBuilder builder, CircuitBreakerPartitions breakers, Func<ResilienceContext, string?> keyOf)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(breakers);
        ArgumentNullException.ThrowIfNull(keyOf);
        return builder.AddPolicy(new SharedBreakerOptions(breakers.Name), environment => new PartitionedBreakerPolicy(breakers, keyOf, environment));
    }

    /// <summary>The options of a breaker that exists were checked when it was made.</summary>
    private sealed class SharedBreakerOptions : PolicyOptions
    {
        internal SharedBreakerOptions(string name) => Name = name;

        protected internal override string Kind => "circuit-breaker";

        protected internal override void Check(OptionsCheck check)
        {
        }
    }
}
