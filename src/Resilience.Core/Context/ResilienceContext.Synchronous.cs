namespace Resilience;

/// <content>Synchronous calls.</content>
public abstract partial class ResilienceContext
{
    /// <summary>True in a call that was begun by <c>Execute</c> or <c>TryExecute</c>: everything of it happens on the thread of the caller, and where a policy
    /// waits, that thread waits.</summary>
    /// <remarks>A policy of yours that awaits works in such a call: the thread waits for it, and what comes after the wait may run on another thread. With
    /// <see cref="WaitIfSynchronous(Task)"/> around what it awaits it stays on the caller's.</remarks>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public bool IsSynchronous => State.HasEnded ? ThrowEnded<bool>() : this.BlocksThread;

    /// <summary>For a policy that waits: in a synchronous call the thread waits here until the task has ended, however it ends.</summary>
    /// <example><code>await context.WaitIfSynchronous(Task.Delay(pause, context.CancellationToken));</code></example>
    /// <param name="task">What is waited for.</param>
    /// <returns>The same task, to be awaited.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="task"/> is null.</exception>
    /// <exception cref="ObjectDisposedException">The call has ended.</exception>
    public Task WaitIfSynchronous(Task task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return IsSynchronous ? SynchronousWait.For(task) : task;
    }

    /// <inheritdoc cref="WaitIfSynchronous(Task)"/>
    /// <returns>A task with the same result, to be awaited once in place of the one that was given.</returns>
    public ValueTask<TResult> WaitIfSynchronous<TResult>(ValueTask<TResult> task) =>
        IsSynchronous && !task.IsCompleted ? new(SynchronousWait.For(task.AsTask())) : task;
}
