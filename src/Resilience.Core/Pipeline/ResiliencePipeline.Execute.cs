using System.Runtime.CompilerServices;

namespace Resilience;

/// <content>Overloads, nothing else. ExecuteAsync throws what the call ended with; TryExecuteAsync answers with data.</content>
public sealed partial class ResiliencePipeline
{
    /// <summary>Runs the delegate through the pipeline and returns its result.</summary>
    /// <param name="callback">The call; it must honour the token that it is given, which timeouts and the caller cancel.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null (thrown at once, not by the task).</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled. If a retry was waiting, the last failure is the inner exception.</exception>
    /// <exception cref="ResilienceException">A policy rejected the call.</exception>
    /// <exception cref="TimedOutException">A timeout policy ended the last attempt.</exception>
    [OverloadResolutionPriority(1)]
    public ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().Run(new Invocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public ValueTask<T> ExecuteAsync<T>(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().Run(new TaskInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask ExecuteAsync(Func<CancellationToken, ValueTask> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return RunWithoutResult(static (f, ct) => f(ct), callback, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public ValueTask ExecuteAsync(Func<CancellationToken, Task> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return RunWithoutResult(static (f, ct) => f(ct), callback, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    /// <param name="callback">The call, a static lambda for a call without allocations.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    [OverloadResolutionPriority(1)]
    public ValueTask<T> ExecuteAsync<TState, T>(
        Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().Run(new StateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask<T> ExecuteAsync<TState, T>(Func<TState, CancellationToken, Task<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().Run(new TaskStateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask ExecuteAsync<TState>(Func<TState, CancellationToken, ValueTask> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return RunWithoutResult(callback, state, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask ExecuteAsync<TState>(Func<TState, CancellationToken, Task> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return RunWithoutResult(callback, state, cancellationToken);
    }

    /// <summary>Runs a delegate that sees the context (attempt number, time left, properties), with options for this call.</summary>
    /// <param name="options">What the caller says about the call.</param>
    /// <param name="callback">The call; its token is <see cref="ResilienceContext.CancellationToken"/>.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null (thrown at once, not by the task).</exception>
    public ValueTask<T> ExecuteAsync<TState, T>(
        CallOptions options, Func<ResilienceContext, TState, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().Run(new ContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }

    /// <inheritdoc cref="ExecuteAsync{TState, T}(CallOptions, Func{ResilienceContext, TState, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask ExecuteAsync<TState>(
        CallOptions options, Func<ResilienceContext, TState, ValueTask> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return options.ContinueOnCapturedContext
            ? new(ExecuteAsync(options, CapturedWithoutResult.RunAsync, (callback, state), cancellationToken).AsTask())
            : ChainFor<Nothing>().RunWithoutResult(new VoidContextInvocation<TState>(callback, state), options, cancellationToken);
    }

    /// <summary>Runs the delegate through the pipeline and answers with its outcome; never throws for a failure, a rejection or a cancellation.</summary>
    /// <param name="callback">The call; it must honour the token that it is given.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null (thrown at once, not by the task).</exception>
    [OverloadResolutionPriority(1)]
    public ValueTask<Outcome<T>> TryExecuteAsync<T>(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().TryRun(new Invocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="TryExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public ValueTask<Outcome<T>> TryExecuteAsync<T>(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().TryRun(new TaskInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="TryExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    /// <param name="callback">The call, a static lambda for a call without allocations.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    [OverloadResolutionPriority(1)]
    public ValueTask<Outcome<T>> TryExecuteAsync<TState, T>(
        Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().TryRun(new StateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="TryExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask<Outcome<T>> TryExecuteAsync<TState, T>(
        Func<TState, CancellationToken, Task<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().TryRun(new TaskStateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <summary>Runs a delegate that sees the context, with options for this call, and answers with its outcome; never throws for a failure.</summary>
    /// <param name="options">What the caller says about the call.</param>
    /// <param name="callback">The call; its token is <see cref="ResilienceContext.CancellationToken"/>.</param>
    /// <param name="state">Handed to the delegate.</param>
    /// <param name="cancellationToken">Cancels the call and every wait of the pipeline.</param>
    /// <exception cref="ArgumentNullException"><paramref name="callback"/> is null (thrown at once, not by the task).</exception>
    public ValueTask<Outcome<T>> TryExecuteAsync<TState, T>(
        CallOptions options, Func<ResilienceContext, TState, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return ChainFor<T>().TryRun(new ContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }

    private ValueTask RunWithoutResult<TState>(Func<TState, CancellationToken, ValueTask> callback, TState state, CancellationToken cancellationToken) =>
        ChainFor<Nothing>().RunWithoutResult(new VoidInvocation<TState>(callback, state), cancellationToken);

    private ValueTask RunWithoutResult<TState>(Func<TState, CancellationToken, Task> callback, TState state, CancellationToken cancellationToken) =>
        ChainFor<Nothing>().RunWithoutResult(new VoidTaskInvocation<TState>(callback, state), cancellationToken);
}

/// <content>Overloads, nothing else.</content>
public sealed partial class ResiliencePipeline<T>
{
    /// <inheritdoc cref="ResiliencePipeline.ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask<T> ExecuteAsync(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.Run(new Invocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.ExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public ValueTask<T> ExecuteAsync(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.Run(new TaskInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.ExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask<T> ExecuteAsync<TState>(
        Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.Run(new StateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.ExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask<T> ExecuteAsync<TState>(Func<TState, CancellationToken, Task<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.Run(new TaskStateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.ExecuteAsync{TState, T}(CallOptions, Func{ResilienceContext, TState, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask<T> ExecuteAsync<TState>(
        CallOptions options, Func<ResilienceContext, TState, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.Run(new ContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask<Outcome<T>> TryExecuteAsync(Func<CancellationToken, ValueTask<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.TryRun(new Invocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecuteAsync{T}(Func{CancellationToken, ValueTask{T}}, CancellationToken)"/>
    public ValueTask<Outcome<T>> TryExecuteAsync(Func<CancellationToken, Task<T>> callback, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.TryRun(new TaskInvocation<T>(callback), cancellationToken);
    }

    /// <inheritdoc cref="ResiliencePipeline.TryExecuteAsync{TState, T}(Func{TState, CancellationToken, ValueTask{T}}, TState, CancellationToken)"/>
    [OverloadResolutionPriority(1)]
    public ValueTask<Outcome<T>> TryExecuteAsync<TState>(
        Func<TState, CancellationToken, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.TryRun(new StateInvocation<TState, T>(callback, state), cancellationToken);
    }

    /// <inheritdoc
    /// cref="ResiliencePipeline.TryExecuteAsync{TState, T}(CallOptions, Func{ResilienceContext, TState, ValueTask{T}}, TState, CancellationToken)"/>
    public ValueTask<Outcome<T>> TryExecuteAsync<TState>(
        CallOptions options, Func<ResilienceContext, TState, ValueTask<T>> callback, TState state, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(callback);
        return Chain.TryRun(new ContextInvocation<TState, T>(callback, state), options, cancellationToken);
    }
}
