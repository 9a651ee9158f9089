using System.Collections.Concurrent;

namespace Resilience;

/// <summary>Idle objects that all threads share: what many calls under way at the same time leave behind. Bounded for the whole process.</summary>
/// <remarks>When all places are taken, an object of a type gets the place of one of another type, in turns: a type that was busy once does not keep
/// the places for ever.</remarks>
internal abstract class SpareObjects
{
    /// <summary>The most objects of all types together: calls and suspensions, some 1 MiB when full.</summary>
    internal const int Capacity = 2048;

    private const int MaxTries = 64; // a look at an empty pool takes a few nanoseconds

    private static readonly Lock Gate = new(); // guards the array: taken once for each type
    private static SpareObjects[] Types = [];
    private static int Count;
    private static int Turn;

    /// <summary>Lets one idle object go; false when there is none.</summary>
    private protected abstract bool TryDrop();

    private protected void Register()
    {
        // Release: who sees the array sees the type.
        lock (Gate) Volatile.Write(ref Types, [.. Types, this]);
    }

    /// <summary>Takes a place; false when all are taken and none of another type was found to be idle.</summary>
    private protected bool TryTakePlace()
    {
        // Full fence: a place is ours before anything is put there, so there are never more objects than places.
        if (Interlocked.Increment(ref Count) <= Capacity) return true;
        Interlocked.Decrement(ref Count);
        SpareObjects[] types = Volatile.Read(ref Types); // acquire: pairs with the release in Register
        for (int tries = 0; tries < types.Length && tries < MaxTries; tries++)
        {
            // Full fence; only that the turns differ matters.
            SpareObjects other = types[(int)((uint)Interlocked.Increment(ref Turn) % (uint)types.Length)];
            if (other != this && other.TryDrop()) return true; // its place is ours, the count stays
        }

        return false;
    }

    private protected static void FreePlace() => Interlocked.Decrement(ref Count);
}

/// <summary>Those of one type.</summary>
internal sealed class SpareObjects<T> : SpareObjects
    where T : class
{
    private static readonly SpareObjects<T> Pool = Make();

    private readonly ConcurrentQueue<T> _idle = [];

    private static SpareObjects<T> Make()
    {
        SpareObjects<T> pool = new();
        pool.Register();
        return pool;
    }

    internal static T? TryTake()
    {
        if (!Pool._idle.TryDequeue(out T? idle)) return null;
        FreePlace();
        return idle;
    }

    /// <summary>Keeps an idle object that remembers nothing; lets it go when there is no room.</summary>
    internal static void Give(T idle)
    {
        if (Pool.TryTakePlace()) Pool._idle.Enqueue(idle);
    }

    private protected override bool TryDrop() => _idle.TryDequeue(out _);
}
