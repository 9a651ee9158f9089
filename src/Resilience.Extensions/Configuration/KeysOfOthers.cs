namespace Resilience.Configuration;

/// <summary>What the settings of Polly and of Microsoft.Extensions.Http.Resilience are called here. By spelling they are nearer to something else.</summary>
internal static class KeysOfOthers
{
    private static readonly Dictionary<string, (string Here, string Remark)> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["MaxRetryAttempts"] = ("MaxRetries", ""),
        ["Delay"] = ("BaseDelay", ""),
        ["BackoffType"] = ("BackoffKind", ""),
        ["UseJitter"] = ("Jitter", ", which is Full, Equal or None"),
        ["MinimumThroughput"] = ("MinimumCalls", ""),
        ["TotalRequestTimeout"] = ("TotalTimeout", ", which is a time and not a group"),
        ["RateLimiter"] = ("ConcurrencyLimit", ""),
        ["DefaultRateLimiterOptions"] = ("MaxConcurrent", ""),
        ["PermitLimit"] = ("MaxConcurrent", ""),
        ["QueueLimit"] = ("MaxQueued", ""),
        ["MaxHedgedAttempts"] = ("MaxAttempts", ", which counts the first attempt too"),
    };

    /// <summary>What is to be said of a key, where the setting that it means is among these; null: nothing.</summary>
    internal static string? Meant(string written, IEnumerable<string> keys)
    {
        if (string.Equals(written, "ShouldRetryAfterHeader", StringComparison.OrdinalIgnoreCase))
            return "is not a known setting; leave it out, Retry-After is always honored (up to MaxRetryAfter)";
        return Known.TryGetValue(written, out (string Here, string Remark) meant) && keys.Contains(meant.Here, StringComparer.OrdinalIgnoreCase)
            ? $"is a key of Polly and Microsoft.Extensions.Http.Resilience; here it is called {meant.Here}{meant.Remark}"
            : null;
    }
}
