namespace Resilience;

/// <summary>Which of the registrations counts for a client.</summary>
internal static class Registrations
{
    /// <summary>The client's own before the defaults; null when there is none. More than one is a mistake that is not noticed until a
    /// request is sent sixteen times.</summary>
    /// <exception cref="InvalidOperationException">There are several.</exception>
    /// <param name="all">The registrations of this kind.</param>
    /// <param name="client">The client.</param>
    /// <param name="clientOf">Whose registration it is.</param>
    /// <param name="isRemoval">Whether it says "none".</param>
    /// <param name="what">What is registered, for the message.</param>
    internal static T? Effective<T>(IEnumerable<T> all, string client, Func<T, string?> clientOf, Func<T, bool> isRemoval, string what)
        where T : class
    {
        T[] own = [.. all.Where(r => clientOf(r) == client)];
        if (own.Length == 0) own = [.. all.Where(r => clientOf(r) is null)];
        T[] real = [.. own.Where(r => !isRemoval(r))];
        return real.Length switch
        {
            0 => null,
            1 => real[0],
            _ => throw new InvalidOperationException(
                $"The HttpClient {(clientOf(real[0]) is null ? "defaults have" : $"'{client}' has")} {what} registered {real.Length} times. "
                + $"Call Remove{what}() before the registration that is to replace the others."),
        };
    }
}
