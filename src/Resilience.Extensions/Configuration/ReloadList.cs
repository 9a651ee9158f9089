namespace Resilience.Configuration;

/// <summary>The reloads of what a provider has built. Thread-safe; when it has been disposed of, none is taken any more.</summary>
/// <param name="owner">The provider, whom the exception names.</param>
internal sealed class ReloadList(object owner) : IDisposable
{
    private readonly Lock _gate = new(); // for the list alone: no code of others runs inside
    private readonly List<IDisposable> _reloads = [];
    private volatile bool _isDisposed;

    internal bool IsDisposed => _isDisposed;

    /// <exception cref="ObjectDisposedException">The provider has been disposed of; the caller disposes of the reload.</exception>
    internal void Add(IDisposable reload)
    {
        lock (_gate)
        {
            ThrowIfDisposed();
            _reloads.Add(reload);
        }
    }

    internal void ThrowIfDisposed() => ObjectDisposedException.ThrowIf(_isDisposed, owner);

    public void Dispose()
    {
        IDisposable[] reloads;
        lock (_gate)
        {
            _isDisposed = true;
            reloads = [.. _reloads];
            _reloads.Clear();
        }

        // Outside of the lock: it waits for a reload that is under way, and that one may ask for something that is not built yet.
        foreach (IDisposable reload in reloads) reload.Dispose();
    }
}
