using System.Runtime.CompilerServices;

namespace Resilience.Http;

/// <summary>The history of a call: what its attempts came to. Kept only for calls of which an attempt failed.</summary>
public static class HttpAttempts
{
    private static readonly ConditionalWeakTable<object, IReadOnlyList<HttpAttempt>> Known = [];

    /// <summary>The attempts that led to this response; empty when the first one succeeded.</summary>
    public static IReadOnlyList<HttpAttempt> Of(HttpResponseMessage response) => Find(response);

    /// <summary>The attempts that led to this exception; empty when there were none.</summary>
    public static IReadOnlyList<HttpAttempt> Of(Exception exception) => Find(exception);

    internal static void Remember(object outcome, IReadOnlyList<HttpAttempt> attempts) => Known.AddOrUpdate(outcome, attempts);

    private static IReadOnlyList<HttpAttempt> Find(object outcome)
    {
        ArgumentNullException.ThrowIfNull(outcome);
        return Known.TryGetValue(outcome, out IReadOnlyList<HttpAttempt>? attempts) ? attempts : [];
    }
}
