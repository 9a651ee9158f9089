using System.Threading.Tasks.Sources;

namespace Resilience.Tests;

/// <summary>An operation that ends when it is told to, on the thread that tells it. Used again without an allocation.</summary>
internal sealed class Later : IValueTaskSource<int>, IValueTaskSource
{
    private ManualResetValueTaskSourceCore<int> _core;

    internal ValueTask<int> Begin()
    {
        _core.Reset();
        return new(this, _core.Version);
    }

    internal ValueTask BeginWithoutResult()
    {
        _core.Reset();
        return new(this, _core.Version);
    }

    internal void End(int result) => _core.SetResult(result);

    internal void Fail(Exception error) => _core.SetException(error);

    public int GetResult(short token) => _core.GetResult(token);

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

    public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
