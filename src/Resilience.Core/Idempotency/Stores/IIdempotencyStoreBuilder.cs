namespace Resilience.Idempotency;

/// <summary>Where a package of a store adds itself: <c>services.AddIdempotency()</c> gives one. It knows no container, so a store pulls in nothing but
/// its driver.</summary>
/// <remarks>Write the method of your store for every kind of builder, so that what <c>AddIdempotency()</c> returned comes back as what it was:
/// <code>public static TBuilder UseMine&lt;TBuilder&gt;(this TBuilder builder) where TBuilder : IIdempotencyStoreBuilder</code>
/// Used while services are registered, by one thread.</remarks>
public interface IIdempotencyStoreBuilder
{
    /// <summary>The name of the gate whose store it is; empty for the gate without a name.</summary>
    string Name { get; }

    /// <summary>Names the store of the gate. It is made once, when it is first needed, and disposed of with the container. A gate has one store: a
    /// second one is an error at the start.</summary>
    /// <param name="create">Makes the store, from the services of the application.</param>
    /// <exception cref="ArgumentNullException"><paramref name="create"/> is null.</exception>
    void SetStore(Func<IServiceProvider, IIdempotencyStore> create);
}
