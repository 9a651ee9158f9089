namespace Resilience;

/// <summary>The lock of a pipeline's updates: a monitor, which the schedule tests can stop at, with a number for the order of several.</summary>
internal sealed class UpdateGate
{
    private static long Made;

    private readonly long _number = Interlocked.Increment(ref Made); // full fence; only that the numbers differ matters

    internal static void Apply<TPipeline, TBuilder>(TPipeline pipeline, TBuilder builder)
        where TPipeline : class, IUpdatable<TBuilder>
    {
        ArgumentNullException.ThrowIfNull(builder);
        lock (pipeline.Updates)
        {
            IPreparedUpdate ready = pipeline.Prepare(builder);
            ready.RequireSame();
            ready.TakeEffect();
        }
    }

    internal static void ApplyAll<TPipeline, TBuilder>(IEnumerable<KeyValuePair<TPipeline, TBuilder>> updates)
        where TPipeline : class, IUpdatable<TBuilder>
    {
        ArgumentNullException.ThrowIfNull(updates);
        KeyValuePair<TPipeline, TBuilder>[] all = [.. updates];
        if (Array.Exists(all, u => u.Key is null || u.Value is null)) throw new ArgumentException("A pipeline or a builder is null.", nameof(updates));
        Array.Sort(all, static (a, b) => a.Key.Updates._number.CompareTo(b.Key.Updates._number)); // all lock in this order, so there is no deadlock
        for (int i = 1; i < all.Length; i++)
        {
            if (all[i].Key == all[i - 1].Key) throw new ArgumentException($"The pipeline '{all[i].Key.Name}' is there twice.", nameof(updates));
        }

        int locked = 0;
        try
        {
            for (; locked < all.Length; locked++) Monitor.Enter(all[locked].Key.Updates);
            IPreparedUpdate[] ready = Array.ConvertAll(all, static u => u.Key.Prepare(u.Value));
            foreach (IPreparedUpdate one in ready) one.RequireSame();
            foreach (IPreparedUpdate one in ready) one.TakeEffect();
        }
        finally
        {
            while (locked > 0) Monitor.Exit(all[--locked].Key.Updates);
        }
    }
}
