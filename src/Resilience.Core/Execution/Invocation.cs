namespace Resilience;

/// <summary>A delegate of the user with its state: what a call does at the bottom of the chain.</summary>
/// <remarks>A struct for each kind of delegate, so that <see cref="Call{TInvocation, T}"/> is one class whose instances invoke without a virtual call
/// of their own.</remarks>
internal interface IInvocation<T>
{
    /// <summary>Invokes the delegate. May throw: the caller catches.</summary>
    ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken);

    /// <summary>True when the delegate returns a <see cref="Task"/>, which can be asked for its exception without a throw.</summary>
    bool ReturnsTask { get; }

    /// <summary>What a delegate without a result has returned.</summary>
    ValueTask Running { get; }
}

/// <summary>A delegate without state.</summary>
internal readonly struct Invocation<T>(Func<CancellationToken, ValueTask<T>> callback) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(cancellationToken);
}

/// <summary>A delegate without state that returns a task.</summary>
internal readonly struct TaskInvocation<T>(Func<CancellationToken, Task<T>> callback) : IInvocation<T>
{
    public bool ReturnsTask => true;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        new(callback(cancellationToken) ?? throw WithoutResult.TaskIsMissing());
}

/// <summary>A delegate with state.</summary>
internal readonly struct StateInvocation<TState, T>(Func<TState, CancellationToken, ValueTask<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(state, cancellationToken);
}

/// <summary>A delegate with state that returns a task.</summary>
internal readonly struct TaskStateInvocation<TState, T>(Func<TState, CancellationToken, Task<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => true;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        new(callback(state, cancellationToken) ?? throw WithoutResult.TaskIsMissing());
}

/// <summary>A delegate with state and without a result.</summary>
internal struct VoidInvocation<TState>(Func<TState, CancellationToken, ValueTask> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => false;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        WithoutResult.Of(Running = callback(state, cancellationToken));
}

/// <summary>A delegate with state and without a result that returns a task.</summary>
internal struct VoidTaskInvocation<TState>(Func<TState, CancellationToken, Task> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => true;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) =>
        WithoutResult.Of(Running = new(callback(state, cancellationToken) ?? throw WithoutResult.TaskIsMissing()));
}

/// <summary>A delegate that sees the context.</summary>
internal readonly struct ContextInvocation<TState, T>(Func<ResilienceContext, TState, ValueTask<T>> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => callback(context, state);
}

/// <summary>A delegate that sees the context and has no result.</summary>
internal struct VoidContextInvocation<TState>(Func<ResilienceContext, TState, ValueTask> callback, TState state) : IInvocation<Nothing>
{
    public readonly bool ReturnsTask => false;

    public ValueTask Running { get; private set; }

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken) => WithoutResult.Of(Running = callback(context, state));
}

/// <summary>A synchronous delegate without state.</summary>
internal readonly struct SynchronousInvocation<T>(Func<CancellationToken, T> callback) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(cancellationToken));
}

/// <summary>A synchronous delegate with state.</summary>
internal readonly struct SynchronousStateInvocation<TState, T>(Func<TState, CancellationToken, T> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(state, cancellationToken));
}

/// <summary>A synchronous delegate with state and without a result.</summary>
internal readonly struct SynchronousVoidInvocation<TState>(Action<TState, CancellationToken> callback, TState state) : IInvocation<Nothing>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<Nothing> Invoke(ResilienceContext context, CancellationToken cancellationToken)
    {
        callback(state, cancellationToken);
        return default;
    }
}

/// <summary>A synchronous delegate that sees the context.</summary>
internal readonly struct SynchronousContextInvocation<TState, T>(Func<ResilienceContext, TState, T> callback, TState state) : IInvocation<T>
{
    public bool ReturnsTask => false;

    public ValueTask Running => default;

    public ValueTask<T> Invoke(ResilienceContext context, CancellationToken cancellationToken) => new(callback(context, state));
}

/// <summary>Tasks without a result, as the links see them.</summary>
internal static class WithoutResult
{
    /// <summary>Stands for a delegate that has not ended successfully (yet): the call then looks at <see cref="IInvocation{T}.Running"/>.</summary>
    private static readonly ValueTask<Nothing> Other = new(new TaskCompletionSource<Nothing>().Task);

    internal static ValueTask<Nothing> Of(in ValueTask running)
    {
        if (!running.IsCompletedSuccessfully) return Other;
        running.GetAwaiter().GetResult();
        return default;
    }

    internal static InvalidOperationException TaskIsMissing() => ProgramError.Make("The delegate returned null instead of a task.");
}

/// <summary>Carries all exceptions of a task to where they are judged; it is never visible outside.</summary>
internal sealed class SeveralErrors(AggregateException all) : Exception
{
    internal AggregateException All => all;
}
