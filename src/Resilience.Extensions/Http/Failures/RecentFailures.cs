namespace Resilience.Http;

/// <summary>A few failures, the latest: one that comes takes the place of the oldest. Thread-safe.</summary>
internal sealed class RecentFailures<T>
    where T : class
{
    private const int Max = 64;

    private readonly T?[] _latest = new T?[Max];
    private int _next;

    /// <summary>Nothing has failed yet.</summary>
    internal bool IsEmpty => Volatile.Read(ref _next) == 0;

    internal void Add(T failure) => Volatile.Write(ref _latest[(uint)Interlocked.Increment(ref _next) % Max], failure);

    internal bool Any<TState>(Func<T, TState, bool> isMeant, TState state)
    {
        foreach (ref T? slot in _latest.AsSpan())
        {
            if (Volatile.Read(ref slot) is { } failure && isMeant(failure, state)) return true;
        }

        return false;
    }
}
