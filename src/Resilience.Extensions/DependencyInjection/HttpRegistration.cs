using Microsoft.Extensions.Configuration;
using Resilience.Http;

namespace Resilience;

/// <summary>What is registered for the handlers of a client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all clients.</param>
internal sealed record HttpRegistration(string? Client)
{
    /// <summary>The standard pipeline: what the code says of it.</summary>
    internal Action<StandardResilienceOptions, IServiceProvider>? Standard { get; init; }

    /// <summary>Where the settings stand, if they do.</summary>
    internal IConfiguration? Section { get; init; }

    /// <summary>The path of the section, when it is the container that knows the configuration.</summary>
    internal string? Path { get; init; }

    /// <summary>A pipeline of the user's own.</summary>
    internal Action<ResiliencePipelineBuilder<HttpResponseMessage>, IServiceProvider>? Custom { get; init; }

    /// <summary>The options of the handlers around it.</summary>
    internal Action<CustomResilienceOptions>? CustomOptions { get; init; }

    /// <summary>True for "no resilience here", which overrides the defaults too.</summary>
    internal bool IsRemoval { get; init; }
}

/// <summary>What is registered for the idempotency keys of a client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all clients.</param>
/// <param name="Configure">Sets the options; null for "no keys here", which overrides the defaults too.</param>
internal sealed record KeyRegistration(string? Client, Action<IdempotencyKeyOptions, IServiceProvider>? Configure);

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
