using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A call on its way: the context, and at the bottom the user's delegate with its state.</summary>
/// <remarks>
/// The delegate waits here and is not handed from policy to policy, so the chain is generic over the result alone and its
/// types do not nest. Each kind of delegate has its own small class below; each says the same three things (how it is
/// rented, invoked and forgotten), because a common generic base would make the runtime look types up on the hot path.
/// </remarks>
internal abstract class Call<T> : ResilienceContext
{
    /// <summary>Invokes the delegate. May throw: the caller catches.</summary>
    internal abstract ValueTask<T> Invoke();

    /// <summary>True when <see cref="Invoke"/> wraps a <see cref="Task"/>, which can be asked for its exception without a throw.</summary>
    internal virtual bool IsTask => false;

    /// <summary>The call has ended. It becomes the spare of the thread, unless code that is not ours has seen it, and may have kept it.</summary>
    private protected void Recycle(ref ResilienceContext? slot)
    {
        if (IsShown)
        {
            End();
            return;
        }

        Wipe();
        if (slot is not null) slot.Park();
        slot = this;
    }

    /// <summary>The call has ended: forget everything, and become the spare of the thread whose slot this is.</summary>
    internal abstract void Release(ref ResilienceContext? slot);
}

/// <summary>Spare calls, a few for each thread.</summary>
/// <remarks>
/// A thread-static of a generic type costs tens of nanoseconds when a type argument is a class; one of a plain type costs
/// one or two. So a thread has a handful of slots, found by the number of the result type, and whoever takes a spare from
/// a slot checks that it is of the wanted class. A spare that is displaced by one of another class moves to the
/// thread-static of its own type and is found there: slower, but without an allocation.
/// </remarks>
internal static class CallPool
{
    internal const int Slots = 16;

    [ThreadStatic]
    private static Slot[]? Spares;

    internal static ref ResilienceContext? At(int slot) => ref (Spares ?? Make())[slot & (Slots - 1)].Call;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Slot[] Make() => Spares = new Slot[Slots];

    /// <summary>A struct, so that storing into the array needs no check of the element's type.</summary>
    private struct Slot
    {
        internal ResilienceContext? Call;
    }
}

/// <summary>The result of delegates that have none.</summary>
internal readonly struct Nothing;

/// <summary>A delegate without state.</summary>
internal sealed class DelegateCall<T> : Call<T>
{
    [ThreadStatic]
    private static DelegateCall<T>? Parked;

    private Func<CancellationToken, ValueTask<T>>? _callback;

    internal static DelegateCall<T> Rent(ref ResilienceContext? spare, Func<CancellationToken, ValueTask<T>> callback)
    {
        if (spare is DelegateCall<T> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static DelegateCall<T> Unpark()
    {
        DelegateCall<T> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        Recycle(ref slot);
    }

    internal override ValueTask<T> Invoke() => _callback!(CancellationToken);
}

/// <summary>A delegate without state that returns a task.</summary>
internal sealed class TaskDelegateCall<T> : Call<T>
{
    [ThreadStatic]
    private static TaskDelegateCall<T>? Parked;

    private Func<CancellationToken, Task<T>>? _callback;

    internal static TaskDelegateCall<T> Rent(ref ResilienceContext? spare, Func<CancellationToken, Task<T>> callback)
    {
        if (spare is TaskDelegateCall<T> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TaskDelegateCall<T> Unpark()
    {
        TaskDelegateCall<T> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        Recycle(ref slot);
    }

    internal override bool IsTask => true;

    internal override ValueTask<T> Invoke() => new(_callback!(CancellationToken) ?? throw VoidTask.Missing());
}

/// <summary>A delegate with state.</summary>
internal sealed class StateCall<TState, T> : Call<T>
{
    [ThreadStatic]
    private static StateCall<TState, T>? Parked;

    private Func<TState, CancellationToken, ValueTask<T>>? _callback;
    private TState? _state;

    internal static StateCall<TState, T> Rent(ref ResilienceContext? spare, Func<TState, CancellationToken, ValueTask<T>> callback, TState state)
    {
        if (spare is StateCall<TState, T> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        call._state = state;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static StateCall<TState, T> Unpark()
    {
        StateCall<TState, T> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        _state = default;
        Recycle(ref slot);
    }

    internal override ValueTask<T> Invoke() => _callback!(_state!, CancellationToken);
}

/// <summary>A delegate with state that returns a task.</summary>
internal sealed class TaskStateCall<TState, T> : Call<T>
{
    [ThreadStatic]
    private static TaskStateCall<TState, T>? Parked;

    private Func<TState, CancellationToken, Task<T>>? _callback;
    private TState? _state;

    internal static TaskStateCall<TState, T> Rent(ref ResilienceContext? spare, Func<TState, CancellationToken, Task<T>> callback, TState state)
    {
        if (spare is TaskStateCall<TState, T> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        call._state = state;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TaskStateCall<TState, T> Unpark()
    {
        TaskStateCall<TState, T> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        _state = default;
        Recycle(ref slot);
    }

    internal override bool IsTask => true;

    internal override ValueTask<T> Invoke() => new(_callback!(_state!, CancellationToken) ?? throw VoidTask.Missing());
}

/// <summary>A delegate with state and without a result.</summary>
internal sealed class VoidStateCall<TState> : Call<Nothing>
{
    [ThreadStatic]
    private static VoidStateCall<TState>? Parked;

    private Func<TState, CancellationToken, ValueTask>? _callback;
    private TState? _state;

    internal static VoidStateCall<TState> Rent(ref ResilienceContext? spare, Func<TState, CancellationToken, ValueTask> callback, TState state)
    {
        if (spare is VoidStateCall<TState> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        call._state = state;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static VoidStateCall<TState> Unpark()
    {
        VoidStateCall<TState> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        _state = default;
        Recycle(ref slot);
    }

    internal override ValueTask<Nothing> Invoke() => VoidTask.WithNothing(_callback!(_state!, CancellationToken));
}

/// <summary>A delegate with state and without a result that returns a task.</summary>
internal sealed class VoidTaskStateCall<TState> : Call<Nothing>
{
    [ThreadStatic]
    private static VoidTaskStateCall<TState>? Parked;

    private Func<TState, CancellationToken, Task>? _callback;
    private TState? _state;

    internal static VoidTaskStateCall<TState> Rent(ref ResilienceContext? spare, Func<TState, CancellationToken, Task> callback, TState state)
    {
        if (spare is VoidTaskStateCall<TState> call) spare = null;
        else call = Unpark();
        call._callback = callback;
        call._state = state;
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static VoidTaskStateCall<TState> Unpark()
    {
        VoidTaskStateCall<TState> call = Parked ?? new();
        Parked = null;
        return call;
    }

    internal override void Park() => Parked = this;

    internal override void Release(ref ResilienceContext? slot)
    {
        _callback = null;
        _state = default;
        Recycle(ref slot);
    }

    internal override ValueTask<Nothing> Invoke() => VoidTask.WithNothing(_callback!(_state!, CancellationToken) ?? throw VoidTask.Missing());
}

/// <summary>Gives a result to tasks that have none.</summary>
internal static class VoidTask
{
    internal static InvalidOperationException Missing() => ProgramError.Make("The delegate returned null instead of a task.");

    internal static ValueTask<Nothing> WithNothing(ValueTask running)
    {
        if (!running.IsCompletedSuccessfully) return AwaitAsync(running);
        running.GetAwaiter().GetResult();
        return default;
    }

    internal static ValueTask<Nothing> WithNothing(Task running) => running.IsCompletedSuccessfully ? default : AwaitAsync(running);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Nothing> AwaitAsync(ValueTask running)
    {
        await running.ConfigureAwait(false);
        return default;
    }

    /// <summary>Awaiting a task throws the first of its exceptions; the classifier must see all.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<Nothing> AwaitAsync(Task running)
    {
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (running.Exception is { InnerExceptions.Count: > 1 } several) throw new SeveralErrors(several);
        running.GetAwaiter().GetResult();
        return default;
    }
}

/// <summary>Carries all exceptions of a task to where they are judged; it is never visible outside.</summary>
internal sealed class SeveralErrors(AggregateException all) : Exception
{
    internal AggregateException All => all;
}

/// <summary>A call whose delegate sees the context. Not pooled: user code may keep what it saw, and must then be told so.</summary>
internal sealed class ContextCall<TState, T>(Func<ResilienceContext, TState, ValueTask<T>> callback, TState state) : Call<T>
{
    internal override ValueTask<T> Invoke() => callback(this, state);

    internal override void Release(ref ResilienceContext? slot) => End();
}

/// <summary>The same without a result.</summary>
internal sealed class VoidContextCall<TState>(Func<ResilienceContext, TState, ValueTask> callback, TState state) : Call<Nothing>
{
    internal override ValueTask<Nothing> Invoke() => VoidTask.WithNothing(callback(this, state));

    internal override void Release(ref ResilienceContext? slot) => End();
}
