using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace Resilience.Tests.Hedging;

/// <summary>Attempts that end when, and as, the test says.</summary>
internal sealed class Attempts<T>
{
    private readonly ConcurrentQueue<One> _all = [];
    private readonly SemaphoreSlim _begun = new(0);

    internal sealed record One(TaskCompletionSource<T> Result, int Number, ResilienceContext? Context, CancellationToken Token);

    /// <summary>Whether attempts end by themselves when they are cancelled.</summary>
    public bool Honor { get; init; } = true;

    public One[] All => [.. _all];

    public int Count => _all.Count;

    public ValueTask<T> RunAsync(CancellationToken token) => Add(null, token);

    public ValueTask<T> RunAsync(ResilienceContext context) => Add(context, context.CancellationToken);

    private ValueTask<T> Add(ResilienceContext? context, CancellationToken token)
    {
        One one = new(new(TaskCreationOptions.RunContinuationsAsynchronously), context?.Attempt ?? _all.Count, context, token);
        if (Honor) token.Register(() => one.Result.TrySetCanceled(token));
        _all.Enqueue(one);
        _begun.Release();
        return new(one.Result.Task);
    }

    /// <summary>Waits for the next attempt to begin.</summary>
    public async Task<One> NextAsync()
    {
        (await _begun.WaitAsync(TimeSpan.FromSeconds(30))).Should().BeTrue("an attempt begins");
        return All[Count - _begun.CurrentCount - 1];
    }
}

/// <summary>A result that tells when it is disposed of.</summary>
internal sealed class Held : IDisposable
{
    private readonly TaskCompletionSource _disposed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsDisposed => _disposed.Task.IsCompleted;

    public Task DisposedAsync => _disposed.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public void Dispose() => _disposed.TrySetResult();
}
