using System.Collections.Concurrent;

namespace Resilience;

/// <summary>A circuit breaker for each key (authority, shard, tenant), made when the key is first seen, with bounded memory. Thread-safe.</summary>
/// <remarks>
/// When the bound is reached, a tenth of the breakers is forgotten: those that are closed and had the fewest calls in their
/// window. An open, half-open or isolated breaker is never forgotten, nor one that has opened and not yet decayed, unless all
/// are; then further keys share one breaker, <see cref="Overflow"/>. Keys compare ordinally; who is careful with untrusted
/// keys maps them to known ones.
/// </remarks>
public sealed class CircuitBreakerPartitions
{
    private readonly CircuitBreakerOptions _options;
    private readonly CircuitListeners _listeners = new();
    private readonly PolicyEnvironment _environment;
    private readonly ConcurrentDictionary<string, CircuitBreaker> _breakers = new(StringComparer.Ordinal);
    private int _sweeping;

    /// <summary>Makes the set.</summary>
    /// <param name="options">The options of each breaker; read when a breaker is made.</param>
    /// <param name="capacity">The most breakers kept, 1 or more. Default 1,000.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">For the jitter of the break. Default: <see cref="Randomness.Shared"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="capacity"/> is less than 1.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public CircuitBreakerPartitions(
        CircuitBreakerOptions options, int capacity = 1000, TimeProvider? timeProvider = null, Randomness? randomness = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        options.ThrowIfInvalid();
        _options = options;
        _environment = PolicyEnvironment.Standalone(options.Name ?? options.Kind, timeProvider, randomness, _listeners.Forward);
        Capacity = capacity;
        Overflow = Make(null);
        CircuitBreakerTelemetry.Watch(_environment, this);
    }

    /// <summary>The name of the breakers, as in refusals and telemetry: one name for all, so that keys do not multiply series.</summary>
    public string Name => Overflow.Name;

    /// <summary>The most breakers kept.</summary>
    public int Capacity { get; }

    /// <summary>How many are kept now; never more than <see cref="Capacity"/> for longer than a racing moment.</summary>
    public int Count => _breakers.Count;

    /// <summary>Shared by the keys for which there was no room.</summary>
    public CircuitBreaker Overflow { get; }

    /// <summary>The breaker of a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public CircuitBreaker Get(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _breakers.TryGetValue(key, out CircuitBreaker? known) ? known : Add(key);
    }

    /// <summary>The breakers with their keys, as of now.</summary>
    public IReadOnlyList<KeyValuePair<string, CircuitBreaker>> All() => [.. _breakers];

    internal void Attach(PolicyEnvironment environment) => _listeners.Attach(environment);

    internal PolicyDescription Describe(string policyName)
    {
        PolicyDescription one = Overflow.Describe(policyName);
        return one with { Options = [new("partitions", $"at most {Capacity}"), .. one.Options] };
    }

    private CircuitBreaker Add(string key)
    {
        if (_breakers.Count >= Capacity && !MakeRoom()) return Overflow;
        return _breakers.GetOrAdd(key, static (name, set) => set.Make(name), this);
    }

    private CircuitBreaker Make(string? key) => new(_options, _environment, isChecked: true, key);

    /// <summary>One thread sweeps; others meanwhile use <see cref="Overflow"/> for keys that are new.</summary>
    private bool MakeRoom()
    {
        if (Interlocked.CompareExchange(ref _sweeping, 1, 0) != 0) return false;
        try
        {
            (string Key, CircuitBreaker Breaker, int Calls)[] forgettable =
            [
                .. _breakers.Where(b => b.Value.IsForgettable)
                    .Select(b => (b.Key, b.Value, b.Value.TakeSnapshot().Calls))
                    .OrderBy(b => b.Item3)
                    .Take(Math.Max(1, Capacity / 10)),
            ];
            foreach ((string key, CircuitBreaker breaker, _) in forgettable) _breakers.TryRemove(new(key, breaker));
            return _breakers.Count < Capacity;
        }
        finally
        {
            // Release: the next sweeper sees what we removed.
            Volatile.Write(ref _sweeping, 0);
        }
    }
}
