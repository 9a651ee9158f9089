using Resilience.Idempotency;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers one gate for idempotency keys: which store, and how. Its name is the key of its services (<c>IdempotencyGate</c>,
/// <c>IIdempotencyStore</c>, <c>IdempotencyOptions</c>); those of the gate without a name have no key.</summary>
public interface IIdempotencyBuilder : IIdempotencyStoreBuilder
{
    /// <summary>The services that everything is registered in.</summary>
    IServiceCollection Services { get; }
}
