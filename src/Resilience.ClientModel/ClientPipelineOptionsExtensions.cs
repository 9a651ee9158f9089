using System.ClientModel.Primitives;
using Resilience.Http;

namespace Resilience;

/// <summary>This library in the place of the retry of an SDK on System.ClientModel, such as OpenAI's.</summary>
public static class ClientPipelineOptionsExtensions
{
    /// <summary>Puts a retry with budget and jitter and a circuit breaker in the place of the SDK's own retry: <see cref="StandardResilienceOptions"/> without
    /// timeouts, because the SDK bounds each attempt itself (<see cref="ClientPipelineOptions.NetworkTimeout"/>).</summary>
    /// <typeparam name="TOptions">The SDK's options, such as <c>OpenAIClientOptions</c>.</typeparam>
    /// <param name="options">The SDK's options. All clients that are made of them share circuits and budget.</param>
    /// <param name="configure">Changes the options of this library. With a <see cref="StandardResilienceOptions.TotalTimeout"/>, what is left of it bounds each
    /// attempt as well.</param>
    /// <param name="name">The name in telemetry. Default: that of the options, <c>OpenAIClient</c> for <c>OpenAIClientOptions</c>.</param>
    /// <param name="keyHeader">A header under which each request that is not safe to repeat gets a key, the same in all of its attempts: only for services that
    /// honor one. Default null: such requests are sent once, unless they carry an <c>Idempotency-Key</c> already.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">A number is out of its range.</exception>
    /// <example><code>
    /// OpenAIClientOptions options = new();
    /// options.UseResilience(keyHeader: "Idempotency-Key");
    /// ChatClient chat = new("gpt-5", new ApiKeyCredential(key), options);
    /// </code></example>
    public static TOptions UseResilience<TOptions>(
        this TOptions options, Action<StandardResilienceOptions>? configure = null, string? name = null, string? keyHeader = null)
        where TOptions : ClientPipelineOptions
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.UseResilience(HttpExchange.NewResilience(options, configure, name), keyHeader);
    }

    /// <summary>Puts these policies in the place of the SDK's own retry, such as those of a named client of the container
    /// (<c>HttpResilienceProvider</c>).</summary>
    /// <typeparam name="TOptions">The SDK's options.</typeparam>
    /// <param name="options">The SDK's options.</param>
    /// <param name="resilience">The policies, without hedging and fallback. Times of attempts are set as the SDK's network timeout.</param>
    /// <param name="keyHeader">See the other overload.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The policies hold a hedging or a fallback.</exception>
    public static TOptions UseResilience<TOptions>(this TOptions options, HttpResilience resilience, string? keyHeader = null)
        where TOptions : ClientPipelineOptions
    {
        ArgumentNullException.ThrowIfNull(options);
        HttpExchange.ThrowIfUnsuited(resilience);
        options.RetryPolicy = new ResiliencePolicy(resilience, keyHeader);
        return options;
    }
}
