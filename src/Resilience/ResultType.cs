namespace Resilience;

/// <summary>Gives each result type a small number, so that a pipeline finds its chain by index.</summary>
internal static class ResultType<T>
{
    internal static readonly int Id = ResultTypes.Next();
}

internal static class ResultTypes
{
    private static int Last = -1;

    internal static int Next() => Interlocked.Increment(ref Last);
}
