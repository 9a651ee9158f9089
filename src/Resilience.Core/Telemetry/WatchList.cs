namespace Resilience;

/// <summary>What an observable instrument looks at when it is measured. Held weakly: what is not referenced elsewhere any more is forgotten.</summary>
internal sealed class WatchList<T>
    where T : class
{
    private readonly List<WeakReference<T>> _watched = [];
    private readonly Lock _gate = new(); // touched when something is made and when it is measured, never by a call

    internal int Count
    {
        get
        {
            lock (_gate) return _watched.Count;
        }
    }

    internal void Add(T one)
    {
        lock (_gate)
        {
            if (_watched.Count == _watched.Capacity) Forget(); // before it grows
            _watched.Add(new(one));
        }
    }

    /// <summary>What has left the pipeline that it was watched for is not looked at any more, though calls under way still know it.</summary>
    internal void Remove(T one)
    {
        lock (_gate) _watched.RemoveAll(w => !w.TryGetTarget(out T? known) || ReferenceEquals(known, one));
    }

    /// <summary>Those that are alive. To be looked at outside the lock: a look may ask a clock that is the user's.</summary>
    internal List<T> Alive()
    {
        List<T> alive = [];
        lock (_gate)
        {
            Forget();
            foreach (WeakReference<T> weak in _watched)
            {
                if (weak.TryGetTarget(out T? one)) alive.Add(one);
            }
        }

        return alive;
    }

    private void Forget() => _watched.RemoveAll(static w => !w.TryGetTarget(out _));
}
