using System.ComponentModel;

namespace Resilience;

/// <content>Synchronous calls. Overloads, nothing else.</content>
public sealed partial class ResiliencePipeline
{
    /// <summary>Runs a synchronous delegate through the pipeline and returns its result.</summary>
    /// <remarks>
    /// Everything happens on the thread of the caller: the delegate, rules and callbacks, and the waits, for which no thread of the pool is needed.
    /// Verdicts, events, budgets and deadlines are those of <see cref="ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>. A timeout
    /// cancels the token; a delegate that does not honor it blocks its caller. Hedging starts another attempt after a failure only, never beside one. Where
    /// code of yours is asynchronous (a policy, a substitute call, a store of keys) the thread waits for it, which <c>resilience.synchronous.waits</c> counts.
    /// Where you can await, call <c>ExecuteAsync</c>.
    /// </remarks>
    /// <param name="callback">The call; it must honor the token that it is given, which timeouts and the caller cancel.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null.</exception>
    /// <exception cref="ArgumentException">The result is a task: the delegate is asynchronous.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled. If a retry was waiting, the last failure is the inner exception.</exception>
    /// <exception cref="ResilienceException">A policy rejected the call.</exception>
    /// <exception cref="TimedOutException">A timeout policy ended the last attempt.</exception>
    public T Execute<T>(Func<CancellationToken, T> callback, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousInvocation<T>(callback), cancellationToken).GetValueOrThrow();
    }

    /// <inheritdoc cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)"/>
    /// <param name="callback">The call, a static lambda for a call without allocations.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    public T Execute<TState, T>(Func<TState, CancellationToken, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousStateInvocation<TState, T>(callback, state), cancellationToken).GetValueOrThrow();
    }

    /// <inheritdoc cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public void Execute(Action<CancellationToken> callback, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<Nothing>(callback);
        RunWithoutResult(static (run, ct) => run(ct), callback, cancellationToken);
    }

    /// <inheritdoc cref="Execute{TState, T}(Func{TState, CancellationToken, T}, TState, CancellationToken)"/>
    public void Execute<TState>(Action<TState, CancellationToken> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<Nothing>(callback);
        RunWithoutResult(callback, state, cancellationToken);
    }

    /// <summary>As <see cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)"/>, for a delegate that cannot be cancelled: a timeout takes effect
    /// when it has ended by itself.</summary>
    /// <param name="callback">The call.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null.</exception>
    /// <exception cref="ArgumentException">The result is a task: the delegate is asynchronous.</exception>
    public T Execute<T>(Func<T> callback)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousStateInvocation<Func<T>, T>(static (run, _) => run(), callback), default).GetValueOrThrow();
    }

    /// <inheritdoc cref="Execute{T}(Func{T})"/>
    public void Execute(Action callback)
    {
        Synchronous.Require<Nothing>(callback);
        RunWithoutResult(static (run, _) => run(), callback, default);
    }

    /// <summary>Runs a synchronous delegate that sees the context (attempt number, time left, properties), with options for this call.</summary>
    /// <inheritdoc cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)" path="/remarks"/>
    /// <param name="options">What the caller says about the call.</param>
    /// <param name="callback">The call; its token is <see cref="ResilienceContext.CancellationToken"/>.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null.</exception>
    /// <exception cref="ArgumentException">The result is a task: the delegate is asynchronous.</exception>
    public T Execute<TState, T>(
        CallOptions options, Func<ResilienceContext, TState, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousContextInvocation<TState, T>(callback, state), options, cancellationToken).GetValueOrThrow();
    }

    /// <summary>Runs a synchronous delegate through the pipeline and answers with its outcome; never throws for a failure, a rejection or a
    /// cancellation.</summary>
    /// <inheritdoc cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)" path="/remarks"/>
    /// <param name="callback">The call; it must honor the token that it is given.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null.</exception>
    /// <exception cref="ArgumentException">The result is a task: the delegate is asynchronous.</exception>
    public Outcome<T> TryExecute<T>(Func<CancellationToken, T> callback, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="TryExecute{T}(Func{CancellationToken, T}, CancellationToken)"/>
    /// <param name="callback">The call, a static lambda for a call without allocations.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    public Outcome<T> TryExecute<TState, T>(Func<TState, CancellationToken, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousStateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <summary>Runs a synchronous delegate that sees the context, with options for this call, and answers with its outcome; never throws for a
    /// failure.</summary>
    /// <inheritdoc cref="Execute{T}(Func{CancellationToken, T}, CancellationToken)" path="/remarks"/>
    /// <param name="options">What the caller says about the call.</param>
    /// <param name="callback">The call; its token is <see cref="ResilienceContext.CancellationToken"/>.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null.</exception>
    /// <exception cref="ArgumentException">The result is a task: the delegate is asynchronous.</exception>
    public Outcome<T> TryExecute<TState, T>(
        CallOptions options, Func<ResilienceContext, TState, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return ChainFor<T>().RunHere(new SynchronousContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }

    /// <summary>Does not compile: the delegate is asynchronous.</summary>
    [Obsolete(Synchronous.UseExecuteAsync, error: true)]
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Execute(Func<CancellationToken, Task> callback, CancellationToken cancellationToken = default) =>
        throw Synchronous.IsAsynchronous(nameof(callback));

    /// <inheritdoc cref="Execute(Func{CancellationToken, Task}, CancellationToken)"/>
    [Obsolete(Synchronous.UseExecuteAsync, error: true)]
    [EditorBrowsable(EditorBrowsableState.Never)]
    public T Execute<T>(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken = default) =>
        throw Synchronous.IsAsynchronous(nameof(callback));

    /// <inheritdoc cref="Execute(Func{CancellationToken, Task}, CancellationToken)"/>
    [Obsolete(Synchronous.UseExecuteAsync, error: true)]
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void Execute(Func<Task> callback) =>
        throw Synchronous.IsAsynchronous(nameof(callback));

    /// <inheritdoc cref="Execute(Func{CancellationToken, Task}, CancellationToken)"/>
    [Obsolete(Synchronous.UseExecuteAsync, error: true)]
    [EditorBrowsable(EditorBrowsableState.Never)]
    public T Execute<T>(Func<Task<T>> callback) =>
        throw Synchronous.IsAsynchronous(nameof(callback));

    private void RunWithoutResult<TState>(Action<TState, CancellationToken> callback, TState state, CancellationToken cancellationToken) =>
        ChainFor<Nothing>().RunHere(new SynchronousVoidInvocation<TState>(callback, state), cancellationToken).GetValueOrThrow();
}

/// <content>Synchronous calls. Overloads, nothing else.</content>
public sealed partial class ResiliencePipeline<T>
{
    /// <inheritdoc cref="ResiliencePipeline.Execute{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public T Execute(Func<CancellationToken, T> callback, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousInvocation<T>(callback), cancellationToken).GetValueOrThrow();
    }

    /// <inheritdoc cref="ResiliencePipeline.Execute{TState, T}(Func{TState, CancellationToken, T}, TState, CancellationToken)"/>
    public T Execute<TState>(Func<TState, CancellationToken, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousStateInvocation<TState, T>(callback, state), cancellationToken).GetValueOrThrow();
    }

    /// <inheritdoc cref="ResiliencePipeline.Execute{T}(Func{T})"/>
    public T Execute(Func<T> callback)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousStateInvocation<Func<T>, T>(static (run, _) => run(), callback), default).GetValueOrThrow();
    }

    /// <inheritdoc cref="ResiliencePipeline.Execute{TState, T}(CallOptions, Func{ResilienceContext, TState, T}, TState, CancellationToken)"/>
    public T Execute<TState>(
        CallOptions options, Func<ResilienceContext, TState, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousContextInvocation<TState, T>(callback, state), options, cancellationToken).GetValueOrThrow();
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecute{T}(Func{CancellationToken, T}, CancellationToken)"/>
    public Outcome<T> TryExecute(Func<CancellationToken, T> callback, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecute{TState, T}(Func{TState, CancellationToken, T}, TState, CancellationToken)"/>
    public Outcome<T> TryExecute<TState>(Func<TState, CancellationToken, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousStateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecute{TState, T}(CallOptions, Func{ResilienceContext, TState, T}, TState, CancellationToken)"/>
    public Outcome<T> TryExecute<TState>(
        CallOptions options, Func<ResilienceContext, TState, T> callback, TState state, CancellationToken cancellationToken = default)
    {
        Synchronous.Require<T>(callback);
        return Chain.RunHere(new SynchronousContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }
}

/// <summary>What a synchronous delegate must be.</summary>
internal static class Synchronous
{
    internal const string UseExecuteAsync = "The delegate is asynchronous: Execute would end when it has begun, and repeat nothing. Use ExecuteAsync.";

    internal static void Require<T>(Delegate callback)
    {
        ArgumentNullException.ThrowIfNull(callback);
        if (ResultType<T>.IsTask) throw IsAsynchronous(nameof(callback));
    }

    internal static ArgumentException IsAsynchronous(string parameter) => new(UseExecuteAsync, parameter);
}
