namespace Resilience.Http;

/// <summary>What can be said to a single request.</summary>
public static class HttpRequestResilienceExtensions
{
    /// <summary>Says what this request wants otherwise than its client.</summary>
    /// <returns>The request.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    public static HttpRequestMessage WithResilience(this HttpRequestMessage request, Action<HttpRequestOverrides> configure)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(configure);
        if (!request.Options.TryGetValue(HttpRequestOverrides.Key, out HttpRequestOverrides? overrides))
        {
            overrides = new();
            request.Options.Set(HttpRequestOverrides.Key, overrides);
        }

        configure(overrides);
        return request;
    }
}
