namespace Resilience.Http;

/// <summary>What a client does with requests that the library above it, an SDK, sends again itself.</summary>
public enum StackedRetries
{
    /// <summary>It makes one attempt for each of them, and says so once in the log. Two retries above each other multiply: three above three are sixteen
    /// requests in an outage.</summary>
    Yield = 0,

    /// <summary>It repeats them as any other, and says so once in the log.</summary>
    Report = 1,

    /// <summary>It repeats them as any other.</summary>
    Allow = 2,
}
