using System.Collections.Concurrent;

namespace Resilience;

/// <summary>Keeps the last good value for the time when there is no fresh one: stale data rather than no data. Thread-safe.</summary>
/// <typeparam name="T">The type of the value. Must not be disposable: a value that its first reader disposes cannot be served again.</typeparam>
/// <remarks>
/// A pipeline is usually shared by calls with different arguments, and one caller must not be served another's data. So say
/// which calls are alike: by a key (<see cref="PerKey"/>), or, when all calls ask for the same thing, by <see cref="Shared"/>.
/// Each success stores one small object.
/// </remarks>
public sealed class LastGood<T>
{
    private readonly Func<ResilienceContext, string?>? _keyOf;
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private Entry? _shared;
    private int _kept; // places taken, never fewer than entries: the dictionary's own count takes all its locks
    private int _sweeping;

    private LastGood(Func<ResilienceContext, string?>? keyOf, TimeSpan maxAge, int capacity)
    {
        if (typeof(IDisposable).IsAssignableFrom(typeof(T)) || typeof(IAsyncDisposable).IsAssignableFrom(typeof(T)))
            throw new NotSupportedException(
                $"{typeof(T)} is disposable: its last good value would be served after it has been disposed of. "
                + "Keep what you read from it instead.");
        ArgumentOutOfRangeException.ThrowIfLessThan(maxAge, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(maxAge, TimeSpan.FromDays(365));
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _keyOf = keyOf;
        MaxAge = maxAge;
        Capacity = capacity;
    }

    /// <summary>One value for all calls: for a pipeline whose calls all ask for the same thing.</summary>
    /// <param name="maxAge">The oldest value that is still better than none, 1 ms to a year.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxAge"/> is out of range.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is disposable.</exception>
    public static LastGood<T> Shared(TimeSpan maxAge) => new(null, maxAge, 1);

    /// <summary>A value for each key.</summary>
    /// <param name="keyOf">The key of a call; null or a throw: nothing is kept for it and nothing served.</param>
    /// <param name="maxAge">The oldest value that is still better than none, 1 ms to a year.</param>
    /// <param name="capacity">The most values kept; the oldest tenth is forgotten when there are more. Default 1,000.</param>
    /// <exception cref="ArgumentNullException"><paramref name="keyOf"/> is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="maxAge"/> or <paramref name="capacity"/> is out of range.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is disposable.</exception>
    public static LastGood<T> PerKey(Func<ResilienceContext, string?> keyOf, TimeSpan maxAge, int capacity = 1000)
    {
        ArgumentNullException.ThrowIfNull(keyOf);
        return new(keyOf, maxAge, capacity);
    }

    /// <summary>The oldest value that is served.</summary>
    public TimeSpan MaxAge { get; }

    /// <summary>The most values kept.</summary>
    public int Capacity { get; }

    /// <summary>How many are kept now.</summary>
    public int Count => _keyOf is null ? (Volatile.Read(ref _shared) is null ? 0 : 1) : _entries.Count;

    internal void Store(ResilienceContext context, T value)
    {
        // The type may be an interface or a base class that does not tell: what its first reader disposes of must not be served again.
        if (value is IDisposable or IAsyncDisposable) return;
        Entry entry = new(value, context.Clock.NowMs);
        if (_keyOf is null)
        {
            // Release: publishes the entry whole. The last of racing successes stays; each is good.
            Volatile.Write(ref _shared, entry);
        }
        else if (KeyOf(context) is { } key)
        {
            Keep(key, entry);
        }
    }

    internal bool TryGet(ResilienceContext context, out T? value, out TimeSpan age)
    {
        Entry? entry = _keyOf is null ? Volatile.Read(ref _shared) : KeyOf(context) is { } key && _entries.TryGetValue(key, out Entry? known) ? known : null;
        age = entry is null ? default : TimeSpan.FromMilliseconds(Math.Max(0, context.Clock.NowMs - entry.AtMs));
        bool serves = entry is not null && age <= MaxAge;
        value = serves ? entry!.Value : default;
        return serves;
    }

    private void Keep(string key, Entry entry)
    {
        // A known key is only replaced; one that is forgotten meanwhile comes back as a new one.
        while (_entries.TryGetValue(key, out Entry? known))
        {
            if (_entries.TryUpdate(key, entry, known)) return;
        }

        // A new key takes a place first and is added then, so there are never more than the capacity. Who finds no place while
        // another thread makes room does not wait: what is lost is a spare value.
        if ((Interlocked.Increment(ref _kept) > Capacity && !TryMakeRoom()) || !_entries.TryAdd(key, entry)) Interlocked.Decrement(ref _kept);
    }

    private string? KeyOf(ResilienceContext context)
    {
        try
        {
            return _keyOf!(context.Shown());
        }
        catch (Exception error)
        {
            Safely.Report("last good key", error);
            return null;
        }
    }

    /// <summary>One thread at a time forgets the oldest. False when there is still no room.</summary>
    private bool TryMakeRoom()
    {
        if (Interlocked.CompareExchange(ref _sweeping, 1, 0) != 0) return false;
        int surplus = Volatile.Read(ref _kept) - Capacity + (Capacity / 10);
        foreach (KeyValuePair<string, Entry> old in _entries.ToArray().OrderBy(e => e.Value.AtMs).Take(surplus))
        {
            if (_entries.TryRemove(old)) Interlocked.Decrement(ref _kept);
        }

        // Release: the next sweeper sees what we removed.
        Volatile.Write(ref _sweeping, 0);
        return Volatile.Read(ref _kept) <= Capacity;
    }

    private sealed class Entry(T value, long atMs)
    {
        internal readonly T Value = value;
        internal readonly long AtMs = atMs;
    }
}
