namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers one gate for idempotency keys: which store, and how.</summary>
public interface IIdempotencyBuilder
{
    /// <summary>The services that everything is registered in.</summary>
    IServiceCollection Services { get; }

    /// <summary>The name of the gate, and the key of its services (<c>IdempotencyGate</c>, <c>IIdempotencyStore</c>, <c>IdempotencyOptions</c>);
    /// empty for the gate without a name, whose services have no key.</summary>
    string Name { get; }
}
