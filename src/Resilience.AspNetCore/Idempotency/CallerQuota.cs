using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace Resilience.Idempotency;

/// <summary>What one caller may take of a gate, in this process: requests that are open at once, and new keys within a retention. Without it, one caller
/// could take all places of those who wait, or fill a store that has a bound, and keep all others out.</summary>
/// <remarks>Thread-safe. Keys are counted in four generations, each as long as a quarter of the retention: a key counts until its record has expired, and
/// for a quarter longer at most.</remarks>
internal sealed class CallerQuota(TimeProvider time)
{
    private const int Generations = 4;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(1);

    private readonly ConcurrentDictionary<string, int> _open = new(StringComparer.Ordinal);
    private readonly Lock _gate = new(); // guards what is below
    private readonly Dictionary<ulong, int>?[] _used = new Dictionary<ulong, int>?[Generations + 1];
    private readonly Dictionary<ulong, int> _undecided = []; // keys that are counted, and may yet be given back
    private long _newest = -1;

    /// <summary>How many callers have something open now; for tests.</summary>
    internal int OpenCallers => _open.Count;

    /// <summary>Counts a request of this caller as open. A caller that gets true calls <see cref="Close"/>.</summary>
    internal bool TryOpen(string scope, int max)
    {
        while (true)
        {
            if (!_open.TryGetValue(scope, out int open))
            {
                if (_open.TryAdd(scope, 1)) return true;
            }
            else if (open >= max)
            {
                return false;
            }
            else if (_open.TryUpdate(scope, open + 1, open))
            {
                return true;
            }
        }
    }

    internal void Close(string scope)
    {
        while (_open.TryGetValue(scope, out int open))
        {
            if (open > 1 ? _open.TryUpdate(scope, open - 1, open) : _open.TryRemove(new KeyValuePair<string, int>(scope, open))) return;
        }
    }

    /// <summary>Counts a new key of this caller, unless there were as many already.</summary>
    /// <param name="scope">The caller.</param>
    /// <param name="max">How many keys it may use.</param>
    /// <param name="retention">How long a key is kept.</param>
    /// <param name="generation">Where it was counted, for <see cref="GiveBack"/>.</param>
    /// <param name="retryAfter">When some of the keys have certainly expired; soon, while some of them may yet be given back.</param>
    /// <param name="isUndecided">Whether it may yet be given back; a caller that gets true calls <see cref="Decide"/>.</param>
    internal bool TryUse(string scope, int max, TimeSpan retention, out long generation, out TimeSpan retryAfter, bool isUndecided = false)
    {
        ulong caller = NameOf(scope);
        long length = Math.Max(1, retention.Ticks / Generations), now = time.GetElapsedTime(0, time.GetTimestamp()).Ticks;
        generation = now / length;
        lock (_gate)
        {
            Forget(generation);
            int used = 0;
            long oldest = generation;
            for (long g = generation - Generations; g <= generation; g++)
            {
                if (g < 0 || _used[g % _used.Length]?.GetValueOrDefault(caller) is not (> 0 and int count)) continue;
                used += count;
                oldest = Math.Min(oldest, g);
            }

            // The last key of a generation expires a retention after that generation has ended.
            retryAfter = TimeSpan.FromTicks(((oldest + 1 + Generations) * length) - now);
            if (used >= max)
            {
                if (_undecided.ContainsKey(caller)) retryAfter = Soon;
                return false;
            }

            if (isUndecided) CollectionsMarshal.GetValueRefOrAddDefault(_undecided, caller, out _)++;
            CollectionsMarshal.GetValueRefOrAddDefault(_used[generation % _used.Length] ??= [], caller, out _)++;
            return true;
        }
    }

    /// <summary>It is known now whether something is kept of the key. If not, it is given back.</summary>
    internal void Decide(string scope, long generation, bool isKept)
    {
        ulong caller = NameOf(scope);
        lock (_gate)
        {
            if (--CollectionsMarshal.GetValueRefOrAddDefault(_undecided, caller, out _) <= 0) _undecided.Remove(caller);
            if (!isKept) GiveBack(scope, generation);
        }
    }

    /// <summary>The key was given back: nothing is kept of it.</summary>
    internal void GiveBack(string scope, long generation)
    {
        ulong caller = NameOf(scope);
        lock (_gate)
        {
            if (generation <= _newest - _used.Length || _used[generation % _used.Length] is not { } counts) return;
            if (!counts.TryGetValue(caller, out int count)) return;
            if (count > 1) counts[caller] = count - 1;
            else counts.Remove(caller);
        }
    }

    /// <summary>Generations whose keys have all expired make room for new ones.</summary>
    private void Forget(long newest)
    {
        for (long g = Math.Max(_newest + 1, newest - Generations); g <= newest; g++) _used[g % _used.Length] = null;
        _newest = Math.Max(_newest, newest);
    }

    /// <summary>Short; no caller can choose a scope that has the name of another.</summary>
    private static ulong NameOf(string scope) => BinaryPrimitives.ReadUInt64LittleEndian(Fingerprint.Of(scope).ToArray());
}

/// <summary>The quotas of all gates, by their names.</summary>
internal sealed class CallerQuotas(IServiceProvider services)
{
    private readonly ConcurrentDictionary<string, CallerQuota> _byGate = new(StringComparer.Ordinal);
    private readonly TimeProvider _time = services.GetService(typeof(TimeProvider)) as TimeProvider ?? TimeProvider.System;

    internal CallerQuota Of(string gate) => _byGate.GetOrAdd(gate, static (_, time) => new(time), _time);
}
