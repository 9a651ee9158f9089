using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A call on its way: the context, and at the bottom the user's delegate with its state.</summary>
/// <remarks>
/// The delegate waits here and is not handed from policy to policy, so the chain is generic over the result alone and its
/// types do not nest.
/// </remarks>
internal abstract class Call<T> : ResilienceContext
{
    /// <summary>Invokes the delegate. May throw: the caller catches.</summary>
    internal abstract ValueTask<T> Invoke();

    /// <summary>True when <see cref="Invoke"/> wraps a <see cref="Task"/>, which can be asked for its exception without a throw.</summary>
    private protected abstract bool ReturnsTask { get; }

    /// <summary>What a delegate without a result has returned.</summary>
    private protected abstract ValueTask Running { get; }

    /// <summary>Where the call has suspended and comes up to the one who awaits it; null when it has not.</summary>
    internal Suspension<T>? Suspension { get; set; }

    /// <summary>Whether the delegate has ended, well or badly.</summary>
    internal bool IsCompleted(in ValueTask<T> running) => HasNoResult ? Running.IsCompleted : running.IsCompleted;

    /// <summary>The delegate has not ended: hear of its end.</summary>
    internal void Subscribe(in ValueTask<T> running, Action continuation)
    {
        if (HasNoResult) Running.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(continuation);
        else running.ConfigureAwait(false).GetAwaiter().UnsafeOnCompleted(continuation);
    }

    /// <summary>The delegate has ended: its result, or what it threw. A task is asked for its exception instead of being made to throw it: a throw
    /// costs microseconds.</summary>
    [StackTraceHidden]
    internal Exception? End(in ValueTask<T> ended, out T? result)
    {
        result = default;
        if (ReturnsTask && FaultOf(HasNoResult ? Running.AsTask() : ended.AsTask()) is { } fault) return fault;
        try
        {
            if (HasNoResult) Running.GetAwaiter().GetResult();
            else result = ended.Result;
            return null;
        }
        catch (Exception error)
        {
            return error;
        }
    }

    /// <summary>Awaiting a task throws the first of its exceptions; the classifier must see all.</summary>
    private static Exception? FaultOf(Task task) => task.Exception switch
    {
        null => null,
        { InnerExceptions.Count: > 1 } several => new SeveralErrors(several),
        { } one => one.InnerException,
    };

    /// <summary>No branch: the compiler knows the answer for each result type.</summary>
    private static bool HasNoResult => typeof(T) == typeof(Nothing);

    /// <summary>The call has ended with this result, if any: forget everything, and become the spare of the thread whose slot this is.</summary>
    internal void Release(ref ResilienceContext? slot, T? result)
    {
        if (MayHaveLeftovers) EndLeftovers(result);
        Release(ref slot);
    }

    private protected abstract void Release(ref ResilienceContext? slot);
}

/// <summary>A call of one kind of delegate.</summary>
internal sealed class Call<TInvocation, T> : Call<T>
    where TInvocation : struct, IInvocation<T>
{
    [ThreadStatic]
    private static Call<TInvocation, T>? Parked;

    private TInvocation _invocation;

    /// <summary>A call for this invocation: the spare of the thread, or another that is idle.</summary>
    internal static Call<TInvocation, T> Rent(ref ResilienceContext? spare, in TInvocation invocation)
    {
        if (spare is Call<TInvocation, T> call) spare = null;
        else call = Unpark();
        call._invocation = invocation;
        return call;
    }

    internal override ResilienceContext TakeSpare()
    {
        Call<TInvocation, T> spare = Unpark();
        spare._invocation = _invocation;
        return spare;
    }

    internal override void GiveSpare()
    {
        _invocation = default;
        Wipe();
        Park();
    }

    /// <summary>A call whose context code of the user sees, and may keep: it is never used again.</summary>
    internal static Call<TInvocation, T> MakeShown(in TInvocation invocation)
    {
        Call<TInvocation, T> call = new() { _invocation = invocation };
        call.Shown();
        return call;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Call<TInvocation, T> Unpark()
    {
        Call<TInvocation, T> call = Parked ?? SpareObjects<Call<TInvocation, T>>.TryTake() ?? new();
        Parked = null;
        return call;
    }

    internal override void Park()
    {
        if (Parked is null) Parked = this;
        else SpareObjects<Call<TInvocation, T>>.Give(this);
    }

    /// <summary>The call becomes the spare of the thread, unless code that is not ours has seen it, and may have kept it.</summary>
    private protected override void Release(ref ResilienceContext? slot)
    {
        _invocation = default;
        if (IsShown)
        {
            End();
            return;
        }

        Wipe();
        if (slot is not null) slot.Park();
        slot = this;
    }

    internal override ValueTask<T> Invoke() => _invocation.Invoke(this, Token);

    private protected override bool ReturnsTask => _invocation.ReturnsTask;

    private protected override ValueTask Running => _invocation.Running;
}
