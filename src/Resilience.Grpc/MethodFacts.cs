namespace Resilience.Grpc;

/// <summary>What is known of a method.</summary>
/// <param name="Resilience">Of the client that calls it.</param>
/// <param name="Operation">What telemetry calls it: <c>/shop.Orders/Get</c>.</param>
/// <param name="IsIdempotent">Whether it is declared to be.</param>
/// <param name="TakesKey">Whether its calls get keys.</param>
/// <param name="Target">Its partition; null where partitions are not made by method.</param>
internal sealed record MethodFacts(GrpcResilience Resilience, string Operation, bool IsIdempotent, bool TakesKey, GrpcTarget? Target)
{
    /// <summary>Why a call of it is not repeated after it was sent.</summary>
    internal string Objection { get; } = $"{Operation} is not declared idempotent, and carries no key";
}
