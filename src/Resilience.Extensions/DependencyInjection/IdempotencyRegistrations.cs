using Microsoft.Extensions.DependencyInjection;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>All gates that were registered in one collection of services. Changed while services are registered, by one thread; only read
/// afterwards.</summary>
internal sealed class IdempotencyRegistrations(IServiceCollection services)
{
    private readonly List<IdempotencyRegistration> _all = [];

    internal IReadOnlyList<IdempotencyRegistration> All => _all;

    /// <summary>Whether the check at the start is made by the server, which knows the endpoints as well; null: no package for servers is here.</summary>
    internal Func<IServiceProvider, bool>? IsLeftToServer { get; set; }

    internal IdempotencyRegistration Add(string name)
    {
        IdempotencyRegistration? known = _all.Find(r => r.Name == name);
        if (known is null) _all.Add(known = new(name));
        known.Calls++;
        return known;
    }

    /// <summary>What is wrong whatever the options are.</summary>
    internal IEnumerable<OptionProblem> FindProblems()
    {
        foreach (IdempotencyRegistration gate in _all)
        {
            if (gate.Calls > 1)
            {
                yield return new(
                    gate.Title, "AddIdempotency", $"called {gate.Calls} times", "called once for each gate; another gate needs a name of its own, "
                    + "AddIdempotency(\"orders\")");
            }

            // A store that was registered as a service beside the one that was named would take its place in silence.
            int stores = gate.Stores + services.Count(s => IsForeignStore(s, gate));
            if (stores > 1)
            {
                yield return new(
                    gate.Title, "the store", $"named {stores} times", "named once; another store belongs behind a gate of its own, AddIdempotency(\"orders\")");
            }
        }
    }

    /// <summary>Our own descriptors are factories on this class.</summary>
    private static bool IsForeignStore(ServiceDescriptor service, IdempotencyRegistration gate)
    {
        if (service.ServiceType != typeof(IIdempotencyStore)) return false;
        bool isOfGate = gate.Name.Length == 0 ? !service.IsKeyedService : service.IsKeyedService && gate.Name.Equals(service.ServiceKey);
        Delegate? factory = service.IsKeyedService ? service.KeyedImplementationFactory : service.ImplementationFactory;
        return isOfGate && factory?.Target is not StoreFactory;
    }

    /// <summary>Makes the store that was named for a gate, or one in memory.</summary>
    internal sealed class StoreFactory(IdempotencyRegistration gate)
    {
        internal IIdempotencyStore Create(IServiceProvider provider) =>
            gate.CreateStore is { } create ? create(provider) : new InMemoryIdempotencyStore(timeProvider: provider.GetService<TimeProvider>());

        internal IIdempotencyStore Create(IServiceProvider provider, object? key) => Create(provider);
    }
}
