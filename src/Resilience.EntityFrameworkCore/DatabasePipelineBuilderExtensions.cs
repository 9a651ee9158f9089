namespace Resilience;

/// <summary>Adds the policies of a database to a pipeline.</summary>
public static class DatabasePipelineBuilderExtensions
{
    /// <summary>A total timeout of 60 s, three retries with waits from 100 ms to 5 s, a circuit breaker. No timeout of an attempt: the timeout of commands
    /// is the driver's (<c>CommandTimeout</c>).</summary>
    /// <exception cref="ArgumentNullException"><paramref name="builder"/> is null.</exception>
    public static TBuilder AddDatabasePolicies<TBuilder>(this TBuilder builder)
        where TBuilder : ResiliencePipelineBuilderBase => builder
            .AddTimeout(TimeSpan.FromSeconds(60))
            .AddRetry(static retry => retry.BaseDelay = TimeSpan.FromMilliseconds(100))
            .AddCircuitBreaker();
}
