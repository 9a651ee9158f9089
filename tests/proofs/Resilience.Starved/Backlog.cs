namespace Resilience.Starved;

/// <summary>Four workers and 600 items that block each for 20 ms: what is queued now begins three seconds later. It does not run out.</summary>
internal sealed class Backlog : IDisposable
{
    private const int Workers = 4;
    private const int Items = 600;

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
