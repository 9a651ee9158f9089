namespace Resilience.Verification.Litmus;

/// <summary>Two real threads, many fresh objects, and what was seen how often.</summary>
internal static class LitmusRun
{
    private const int Batch = 1024;

    /// <summary>How often each outcome was seen in <paramref name="rounds"/> batches, or until <paramref name="stopAt"/> was.</summary>
    internal static SortedDictionary<string, long> Of<TState>(
        int rounds, Action<TState> first, Action<TState> second, Func<TState, string> observe, string? stopAt = null)
        where TState : class, new()
    {
        SortedDictionary<string, long> seen = [];
        for (int round = 0; round < rounds && (stopAt is null || !seen.ContainsKey(stopAt)); round += 50) RunBatches(50, first, second, observe, seen);
        return seen;
    }

    private static void RunBatches<TState>(
        int count, Action<TState> first, Action<TState> second, Func<TState, string> observe, SortedDictionary<string, long> seen)
        where TState : class, new()
    {
        TState[][] batches = new TState[count][];
        for (int i = 0; i < count; i++)
        {
            batches[i] = new TState[Batch];
            for (int j = 0; j < Batch; j++) batches[i][j] = new();
        }

        using Barrier start = new(2);
        Thread other = new(() => Act(batches, second, start)) { IsBackground = true };
        other.Start();
        Act(batches, first, start);
        other.Join();
        foreach (TState state in batches.SelectMany(batch => batch))
        {
            string outcome = observe(state);
            seen[outcome] = seen.GetValueOrDefault(outcome) + 1;
        }
    }

    private static void Act<TState>(TState[][] batches, Action<TState> act, Barrier start)
    {
        foreach (TState[] batch in batches)
        {
            start.SignalAndWait();
            foreach (TState state in batch) act(state);
        }
    }
}
