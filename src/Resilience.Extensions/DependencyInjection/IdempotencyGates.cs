using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Resilience.Extensibility;

namespace Resilience.Idempotency;

/// <summary>The gates of <c>AddIdempotency</c>: which were registered, which were made, and what is wrong with them. Looking makes none, so a
/// store is not touched before its first call.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class IdempotencyGates
{
    private readonly IdempotencyRegistrations _registered;
    private readonly IServiceProvider _services;
    private IdempotencyGate[] _made = []; // replaced, never changed
    private volatile bool _isStopping;

    internal IdempotencyGates(IdempotencyRegistrations registered, IServiceProvider services)
    {
        _registered = registered;
        _services = services;
        Names = [.. registered.All.Select(r => r.Name)];
    }

    /// <summary>The names of the gates that were registered, in that order; the empty name is that of the gate without one.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The gates that have been used.</summary>
    public IReadOnlyList<IdempotencyGate> Made => Volatile.Read(ref _made); // acquire: pairs with the write in Keep

    /// <summary>Whether the check at the start of the host is made by a server that knows the endpoints too.</summary>
    internal bool IsLeftToServer => _registered.IsLeftToServer?.Invoke(_services) == true;

    /// <summary>The gate of this name.</summary>
    /// <param name="name">Empty: the gate without a name.</param>
    /// <exception cref="ArgumentNullException"><paramref name="name"/> is null.</exception>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    /// <exception cref="ResilienceOptionsException">Something is wrong with what was registered (<see cref="FindProblems"/>).</exception>
    public IdempotencyGate Get(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!Names.Contains(name)) throw new InvalidOperationException($"There is no idempotency gate '{name}'; {Registered}.");
        return name.Length == 0 ? _services.GetRequiredService<IdempotencyGate>() : _services.GetRequiredKeyedService<IdempotencyGate>(name);
    }

    /// <summary>Everything that is wrong with the gates and their options; empty when nothing is. The host asks at its start, and does not start
    /// when there is anything.</summary>
    public IReadOnlyList<OptionProblem> FindProblems() => [.. _registered.FindProblems(), .. Names.SelectMany(OptionsProblems)];

    /// <summary>The names as a message shows them.</summary>
    internal string Registered => "registered are: " + string.Join(", ", Names.Select(n => n.Length == 0 ? "the one without a name" : $"'{n}'"));

    /// <summary>Throws if anything is wrong, with everything that is wrong in one message.</summary>
    internal void ThrowIfInvalid()
    {
        IReadOnlyList<OptionProblem> problems = FindProblems();
        if (problems.Count > 0) throw new ResilienceOptionsException(problems);
    }

    /// <summary>The host stops: no gate begins anything new, also one that is made afterwards.</summary>
    internal void BeginStopping()
    {
        _isStopping = true;
        Interlocked.MemoryBarrier();
        foreach (IdempotencyGate gate in Made) gate.BeginStopping();
    }

    internal IdempotencyGate Keep(IdempotencyGate made)
    {
        while (true)
        {
            IdempotencyGate[] before = Volatile.Read(ref _made), after = [.. before, made];
            if (Interlocked.CompareExchange(ref _made, after, before) != before) continue;
            if (_isStopping) made.BeginStopping(); // pairs with BeginStopping: it sees the gate, or we see that it was called
            return made;
        }
    }

    private IReadOnlyList<OptionProblem> OptionsProblems(string name)
    {
        try
        {
            _services.GetRequiredService<IOptionsMonitor<IdempotencyOptions>>().Get(name);
            return [];
        }
        catch (ResilienceOptionsException wrong)
        {
            return wrong.Problems;
        }
    }
}
