namespace Resilience;

/// <summary>Gives each result type a small number, so that a pipeline finds its chain by index.</summary>
internal static class ResultType<T>
{
    internal static readonly int Id = ResultTypes.Next();

    /// <summary>False where no result of a call of this type can be something that must be disposed of.</summary>
    internal static readonly bool MayBeDisposable =
        (!typeof(T).IsValueType && !typeof(T).IsSealed) || typeof(IDisposable).IsAssignableFrom(typeof(T))
        || typeof(IAsyncDisposable).IsAssignableFrom(typeof(T));

    /// <summary>True for results that are not there yet: a delegate that returns one is asynchronous.</summary>
    internal static readonly bool IsTask = typeof(Task).IsAssignableFrom(typeof(T)) || typeof(T) == typeof(ValueTask)
        || (typeof(T).IsGenericType && typeof(T).GetGenericTypeDefinition() == typeof(ValueTask<>));
}

internal static class ResultTypes
{
    private static int Last = -1;

    internal static int Next() => Interlocked.Increment(ref Last);
}
