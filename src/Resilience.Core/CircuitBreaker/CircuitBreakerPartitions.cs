using System.Collections.Concurrent;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A circuit breaker for each key (authority, shard, tenant), made when the key is first seen, with bounded memory. Thread-safe.</summary>
/// <remarks>
/// When the bound is reached, a new key takes the place of one that nothing is lost by forgetting: of a few that are looked at, round and
/// round, the one that is closed, has not opened of late, and has had the fewest calls in its window. An open, half-open or isolated
/// breaker is never forgotten. A key for which no place is found so shares one breaker, <see cref="Overflow"/>, for this call, and is
/// counted (<see cref="Overflowed"/>): it is guarded, together with all others that found none. Keys compare ordinally; who is careful
/// with untrusted keys maps them to known ones.
/// </remarks>
public sealed class CircuitBreakerPartitions : IPolicyStatus
{
    private readonly CircuitBreakerOptions _options;
    private readonly CircuitListeners _listeners = new();
    private readonly PolicyEnvironment _environment;
    private readonly ConcurrentDictionary<string, CircuitBreaker> _breakers = new(StringComparer.Ordinal);

    /// <summary>How many breakers are looked at for a new key when there is no room. All have been looked at after an eighth of a capacity's
    /// worth of new keys.</summary>
    private const int LooksPerKey = 8;

    private readonly ConcurrentQueue<KeyValuePair<string, CircuitBreaker>> _turns = []; // what is in the dictionary, in the order in which it is looked at
    private int _taken; // places: taken before a breaker is added, so that there are never more
    private long _looks;
    private long _overflowed;

    /// <summary>Makes the set.</summary>
    /// <param name="options">The options of each breaker, read once; later changes to the object have no effect.</param>
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
        _options = options.Copy(); // before the check: what is checked is what is used
        _options.ThrowIfInvalid();
        _environment = PolicyEnvironment.Standalone(_options.Name ?? _options.Kind, timeProvider, randomness, _listeners.Forward);
        Capacity = capacity;
        Overflow = Make(null);
        CircuitBreakerTelemetry.Watch(_environment, this);
    }

    /// <summary>The name of the breakers, as in rejections and telemetry: one name for all, so that keys do not multiply series.</summary>
    public string Name => Overflow.Name;

    /// <summary>The most breakers kept.</summary>
    public int Capacity { get; }

    /// <summary>How many are kept now, at most <see cref="Capacity"/>.</summary>
    public int Count => _breakers.Count;

    /// <summary>Shared by the keys for which there was no room.</summary>
    public CircuitBreaker Overflow { get; }

    /// <summary>How often <see cref="Get"/> has answered with <see cref="Overflow"/> so far. If it grows, the capacity is too small for
    /// an outage, or the keys are not bounded.</summary>
    public long Overflowed => Volatile.Read(ref _overflowed);

    /// <summary>How often a breaker was looked at to make room.</summary>
    internal long Looks => Volatile.Read(ref _looks);

    /// <summary>The breaker of a key.</summary>
    /// <exception cref="ArgumentNullException"><paramref name="key"/> is null.</exception>
    public CircuitBreaker Get(string key)
    {
        ArgumentNullException.ThrowIfNull(key);
        return _breakers.TryGetValue(key, out CircuitBreaker? known) ? known : Add(key);
    }

    /// <summary>The breakers with their keys, as of now.</summary>
    public IReadOnlyList<KeyValuePair<string, CircuitBreaker>> All() => [.. _breakers];

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus() => CircuitStatus.Of(All().Append(new("*", Overflow)));

    internal void Attach(PolicyEnvironment environment) => _listeners.Attach(environment);

    internal void Detach(PolicyEnvironment environment) => _listeners.Detach(environment);

    internal PolicyDescription Describe(string policyName)
    {
        PolicyDescription one = Overflow.Describe(policyName);
        return one with { Options = [new("partitions", $"at most {Capacity}"), .. one.Options] };
    }

    private CircuitBreaker Add(string key)
    {
        if (!TryTakePlace())
        {
            Interlocked.Increment(ref _overflowed);
            return Overflow;
        }

        CircuitBreaker made = Make(key);
        CircuitBreaker kept = _breakers.GetOrAdd(key, made);
        if (ReferenceEquals(kept, made)) _turns.Enqueue(new(key, made));
        else Interlocked.Decrement(ref _taken); // another thread was first
        return kept;
    }

    private CircuitBreaker Make(string? key) => new(_options, _environment, isChecked: true, key);

    /// <summary>A place that is free, or that of a breaker which is forgotten for it.</summary>
    private bool TryTakePlace()
    {
        // Full fence: the place is ours before anything is put there, so that no race can fill more than there are.
        if (Interlocked.Increment(ref _taken) <= Capacity) return true;
        Interlocked.Decrement(ref _taken);
        return TryForget(_environment.Clock.NowMs);
    }

    /// <summary>Forgets the least useful of the next few. Those that are looked at belong to this thread alone; a thread that finds
    /// none meanwhile uses <see cref="Overflow"/>.</summary>
    private bool TryForget(long nowMs)
    {
        KeyValuePair<string, CircuitBreaker> leastUseful = default;
        int fewest = int.MaxValue;
        for (int i = Math.Min(LooksPerKey, Capacity); i > 0 && _turns.TryDequeue(out KeyValuePair<string, CircuitBreaker> next); i--)
        {
            Interlocked.Increment(ref _looks);
            if (next.Value.CallsIfForgettable(nowMs) is { } calls && calls < fewest)
            {
                (next, leastUseful) = (leastUseful, next);
                fewest = calls;
            }

            if (next.Value is not null) _turns.Enqueue(next);
        }

        return leastUseful.Value is not null && _breakers.TryRemove(leastUseful);
    }
}
