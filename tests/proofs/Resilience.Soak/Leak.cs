namespace Resilience.Soak;

/// <summary>Leaks planted on purpose: the soak must find each.</summary>
internal sealed class Leak(string kind)
{
    private static readonly List<object> Kept = [];

    /// <summary>A little of it, each round.</summary>
    internal void Grow()
    {
        switch (kind)
        {
            case "":
                break;
            case "heap":
                for (int i = 0; i < 2_000; i++) Kept.Add(new byte[100]);
                break;
            case "timers":
                for (int i = 0; i < 50; i++) Kept.Add(new Timer(_ => { }, null, TimeSpan.FromHours(10), Timeout.InfiniteTimeSpan));
                break;
            case "handles":
                for (int i = 0; i < 3; i++) Kept.Add(File.OpenRead("/proc/self/status"));
                break;
            case "threads":
                Thread thread = new(() => Thread.Sleep(Timeout.Infinite)) { IsBackground = true };
                thread.Start();
                break;
            default:
                throw new ArgumentException($"Unknown leak '{kind}': heap, timers, handles or threads.");
        }
    }
}
