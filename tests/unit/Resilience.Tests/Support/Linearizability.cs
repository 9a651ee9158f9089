namespace Resilience.Tests;

/// <summary>One operation as a thread saw it: invoked and returned at these ticks of a shared counter, with this argument and result.</summary>
internal readonly record struct Observed<TCall, TResult>(int Thread, int Invoked, int Returned, TCall Call, TResult Result)
{
    public override string ToString() => $"T{Thread}[{Invoked},{Returned}] {Call} = {Result}";
}

/// <summary>Is there one order of the operations, true to their overlaps, that a plain model explains? (Wing and Gong, 1993.)</summary>
internal static class Linearizability
{
    internal static bool Explains<TModel, TCall, TResult>(
        IReadOnlyList<Observed<TCall, TResult>> history, TModel start, Func<TModel, TCall, (TModel Next, TResult Result)> step)
        where TModel : notnull
    {
        HashSet<(int Done, TModel Model)> tried = [];
        return Search(0, start);

        bool Search(int done, TModel model)
        {
            if (done == (1 << history.Count) - 1) return true;
            if (!tried.Add((done, model))) return false;
            int earliestReturn = int.MaxValue;
            for (int i = 0; i < history.Count; i++)
            {
                if ((done >> i & 1) == 0) earliestReturn = Math.Min(earliestReturn, history[i].Returned);
            }

            for (int i = 0; i < history.Count; i++)
            {
                if ((done >> i & 1) != 0 || history[i].Invoked > earliestReturn) continue;
                (TModel next, TResult result) = step(model, history[i].Call);
                if (EqualityComparer<TResult>.Default.Equals(result, history[i].Result) && Search(done | 1 << i, next)) return true;
            }

            return false;
        }
    }
}

/// <summary>Runs the same action on several threads again and again, all let go at once by a gate that spins, so that they really meet.</summary>
internal static class Together
{
    internal static void Run(int threads, int rounds, Action<int> prepare, Action<int, int> act, Action<int> check, Func<bool>? enough = null)
    {
        int round = -1, ready = 0;
        Exception? failure = null;
        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(t => new Thread(() => Follow(t)) { IsBackground = true })];
        foreach (Thread other in others) other.Start();
        for (int r = 0; r < rounds && Volatile.Read(ref failure) is null && enough?.Invoke() != true; r++)
        {
            prepare(r);
            Volatile.Write(ref ready, 0);
            Volatile.Write(ref round, r);
            Guard(() => act(0, r));
            SpinWait spin = default;
            while (Volatile.Read(ref ready) < threads - 1) spin.SpinOnce(sleep1Threshold: -1);
            if (failure is null) check(r);
        }

        Volatile.Write(ref round, int.MaxValue);
        foreach (Thread other in others) other.Join();
        if (failure is not null) throw new InvalidOperationException("A thread failed.", failure);

        void Follow(int thread)
        {
            int done = -1;
            while (true)
            {
                SpinWait spin = default;
                int now;
                while ((now = Volatile.Read(ref round)) == done) spin.SpinOnce(sleep1Threshold: -1);
                if (now == int.MaxValue) return;
                Guard(() => act(thread, now));
                done = now;
                Interlocked.Increment(ref ready);
            }
        }

        void Guard(Action action)
        {
            try
            {
                action();
            }
            catch (Exception error)
            {
                Interlocked.CompareExchange(ref failure, error, null);
            }
        }
    }
}
