namespace Resilience.Starved;

/// <summary>Four workers and hundreds of items that block each for 20 ms: what is queued now begins seconds later. It does not run out.</summary>
internal sealed class Backlog : IDisposable
{
    private const int Workers = 4;

    /// <summary>Fewer on a laptop: what is queued behind them comes seconds later all the same.</summary>
    private static readonly int Items = Environment.GetEnvironmentVariable("CI") == "true" ? 1_200 : 600;

    private readonly ManualResetEventSlim _isOver = new();

    internal Backlog()
    {
        ThreadPool.SetMinThreads(Workers, Workers);
        ThreadPool.SetMaxThreads(Workers, Workers);
        for (int i = 0; i < Items; i++) Queue();
    }

    public void Dispose() => _isOver.Set(); // who waits for it is in the pool; the process ends

    private void Queue() => ThreadPool.UnsafeQueueUserWorkItem(static backlog => backlog.Block(), this, preferLocal: false);

    private void Block()
    {
        if (!_isOver.Wait(20)) Queue();
    }
}
