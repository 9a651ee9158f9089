using Resilience.Http;

namespace Resilience;

/// <summary>What is registered for the idempotency keys of a client.</summary>
/// <param name="Client">The name of the client; null for the defaults of all clients.</param>
/// <param name="Configure">Sets the options; null for "no keys here", which overrides the defaults too.</param>
internal sealed record KeyRegistration(string? Client, Action<IdempotencyKeyOptions, IServiceProvider>? Configure);
