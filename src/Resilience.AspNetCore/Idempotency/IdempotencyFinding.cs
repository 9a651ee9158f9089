using Microsoft.AspNetCore.Http;

namespace Resilience.Idempotency;

/// <summary>What <see cref="IdempotencyEndpointOptions.Reconcile"/> found out about a request whose outcome is unknown. Immutable.</summary>
public sealed class IdempotencyFinding
{
    private IdempotencyFinding(IResult? response) => Response = response;

    /// <summary>It was not done, and what had begun it runs no more: it is executed now.</summary>
    public static IdempotencyFinding NotDone { get; } = new(null);

    /// <summary>The response of what was done; null when it was not done.</summary>
    public IResult? Response { get; }

    /// <summary>It was done; this is recorded as its response, and sent now and to every further duplicate.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="response"/> is null.</exception>
    public static IdempotencyFinding Done(IResult response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return new(response);
    }
}
