using Resilience.Extensibility;

namespace Resilience;

/// <summary>Asks rejections, and exceptions that carry one, whose classes may be the user's.</summary>
internal static class SafeRejection
{
    /// <summary>The rejection that a user's exception carries; null when it carries none, or cannot say.</summary>
    internal static Rejection? Of(ICarriesRejection exception) => Safely.Ask("rejection", static e => e.Rejection, exception, null);

    /// <summary>When it may be worth trying again; null when it is unknown, or the span is negative.</summary>
    internal static TimeSpan? RetryAfterOf(object? error)
    {
        TimeSpan? asked = error switch
        {
            Rejection rejection => Safely.Ask("rejection", static r => r.RetryAfter, rejection, null),
            ICarriesRejection exception => Safely.Ask("rejection", static e => e.RetryAfter, exception, null),
            _ => null,
        };
        return asked < TimeSpan.Zero ? null : asked;
    }

    /// <summary>The sentence of a rejection, which may be a user's.</summary>
    internal static string ReasonOf(Rejection rejection) =>
        Safely.Ask("rejection", static r => r.Reason, rejection, null) ?? $"{rejection.PolicyName} rejected the call.";

    /// <summary>The exception of a rejection, which may be a user's.</summary>
    internal static ResilienceException ToException(Rejection rejection) =>
        Safely.Ask("rejection", static r => r.ToException(), rejection, null) ?? new ResilienceException($"{rejection.PolicyName} rejected the call.");
}
