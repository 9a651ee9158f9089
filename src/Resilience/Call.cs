using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A call on its way: the context, and at the bottom the user's delegate with its state. Pooled, one spare per thread and type.</summary>
/// <remarks>
/// The delegate waits here and is not handed from policy to policy, so the chain is generic over the result alone and its
/// types do not nest. Each kind of delegate has its own small class below.
/// </remarks>
internal abstract class Call<T> : ResilienceContext
{
    /// <summary>Invokes the delegate. May throw: the caller catches.</summary>
    internal abstract ValueTask<T> Invoke();

    /// <summary>True when <see cref="Invoke"/> wraps a <see cref="Task"/>, which can be asked for its exception without a throw.</summary>
    internal virtual bool IsTask => false;

    /// <summary>The call has ended: forget everything, and go back to the pool unless somebody walked away from a delegate that still runs.</summary>
    internal abstract void Release();
}

internal sealed class ValueTaskCall<TState, T> : Call<T>
{
    [ThreadStatic]
    private static ValueTaskCall<TState, T>? Spare;

    private Func<TState, CancellationToken, ValueTask<T>>? _callback;
    private TState? _state;

    internal static ValueTaskCall<TState, T> Rent(Func<TState, CancellationToken, ValueTask<T>> callback, TState state)
    {
        ValueTaskCall<TState, T> call = Spare ?? new();
        Spare = null;
        call._callback = callback;
        call._state = state;
        return call;
    }

    internal override ValueTask<T> Invoke() => _callback!(_state!, CancellationToken);

    internal override void Release()
    {
        if (IsAbandoned) return;
        _callback = null;
        _state = default;
        Wipe();
        Spare = this;
    }
}

internal sealed class TaskCall<TState, T> : Call<T>
{
    [ThreadStatic]
    private static TaskCall<TState, T>? Spare;

    private Func<TState, CancellationToken, Task<T>>? _callback;
    private TState? _state;

    internal static TaskCall<TState, T> Rent(Func<TState, CancellationToken, Task<T>> callback, TState state)
    {
        TaskCall<TState, T> call = Spare ?? new();
        Spare = null;
        call._callback = callback;
        call._state = state;
        return call;
    }

    internal override bool IsTask => true;

    internal override ValueTask<T> Invoke() => new(_callback!(_state!, CancellationToken) ?? throw NoTask());

    internal static InvalidOperationException NoTask() => new("The delegate returned null instead of a task.");

    internal override void Release()
    {
        if (IsAbandoned) return;
        _callback = null;
        _state = default;
        Wipe();
        Spare = this;
    }
}

/// <summary>The result of delegates that have none.</summary>
internal readonly struct Nothing;

internal sealed class VoidValueTaskCall<TState> : Call<Nothing>
{
    [ThreadStatic]
    private static VoidValueTaskCall<TState>? Spare;

    private Func<TState, CancellationToken, ValueTask>? _callback;
    private TState? _state;

    internal static VoidValueTaskCall<TState> Rent(Func<TState, CancellationToken, ValueTask> callback, TState state)
    {
        VoidValueTaskCall<TState> call = Spare ?? new();
        Spare = null;
        call._callback = callback;
        call._state = state;
        return call;
    }

    internal override ValueTask<Nothing> Invoke()
    {
        ValueTask running = _callback!(_state!, CancellationToken);
        if (!running.IsCompletedSuccessfully) return AwaitAsync(running);
        running.GetAwaiter().GetResult();
        return default;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Nothing> AwaitAsync(ValueTask running)
    {
        await running.ConfigureAwait(false);
        return default;
    }

    internal override void Release()
    {
        if (IsAbandoned) return;
        _callback = null;
        _state = default;
        Wipe();
        Spare = this;
    }
}

internal sealed class VoidTaskCall<TState> : Call<Nothing>
{
    [ThreadStatic]
    private static VoidTaskCall<TState>? Spare;

    private Func<TState, CancellationToken, Task>? _callback;
    private TState? _state;

    internal static VoidTaskCall<TState> Rent(Func<TState, CancellationToken, Task> callback, TState state)
    {
        VoidTaskCall<TState> call = Spare ?? new();
        Spare = null;
        call._callback = callback;
        call._state = state;
        return call;
    }

    internal override ValueTask<Nothing> Invoke()
    {
        Task running = _callback!(_state!, CancellationToken) ?? throw TaskCall<TState, Nothing>.NoTask();
        return running.IsCompletedSuccessfully ? default : AwaitAsync(running);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Nothing> AwaitAsync(Task running)
    {
        await running.ConfigureAwait(false);
        return default;
    }

    internal override void Release()
    {
        if (IsAbandoned) return;
        _callback = null;
        _state = default;
        Wipe();
        Spare = this;
    }
}

/// <summary>A call whose delegate sees the context. Not pooled: user code may keep what it saw, and must then be told so.</summary>
internal sealed class ContextCall<TState, T>(Func<ResilienceContext, TState, ValueTask<T>> callback, TState state) : Call<T>
{
    internal override ValueTask<T> Invoke() => callback(this, state);

    internal override void Release() => End();
}

internal sealed class VoidContextCall<TState>(Func<ResilienceContext, TState, ValueTask> callback, TState state) : Call<Nothing>
{
    internal override async ValueTask<Nothing> Invoke()
    {
        await callback(this, state).ConfigureAwait(false);
        return default;
    }

    internal override void Release() => End();
}
