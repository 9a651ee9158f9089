namespace Resilience;

/// <summary>How the thread of a synchronous call waits.</summary>
/// <remarks>
/// It waits for the task that a timer, a release or a cancellation completes, and not for a continuation of it, so no thread of the pool is needed to
/// end the wait: in a pool whose threads all wait here, all of them go on when their time is up. A bridge over an asynchronous call
/// (<c>ExecuteAsync(…).AsTask().GetAwaiter().GetResult()</c>) needs one more thread for each.
/// </remarks>
internal static class SynchronousWait
{
    /// <summary>Waits until the task has ended, however it ends; its owner reads that.</summary>
    internal static Task For(Task task)
    {
        if (!task.IsCompleted) task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing).GetAwaiter().GetResult();
        return task;
    }

    /// <inheritdoc cref="For(Task)"/>
    internal static Task<TResult> For<TResult>(Task<TResult> task)
    {
        For((Task)task);
        return task;
    }

    /// <summary>The same for a task of code that is not ours, which may need a thread of the pool to end: it is counted, so that operators see why threads
    /// are short.</summary>
    internal static Task<TResult> ForCodeOfOthers<TResult>(Task<TResult> task, string pipelineName)
    {
        if (!task.IsCompleted) ResilienceTelemetry.ThreadWaits(pipelineName);
        return For(task);
    }

    /// <inheritdoc cref="ForCodeOfOthers{TResult}(Task{TResult}, string)"/>
    internal static Task ForCodeOfOthers(Task task, string pipelineName)
    {
        if (!task.IsCompleted) ResilienceTelemetry.ThreadWaits(pipelineName);
        return For(task);
    }

    /// <summary>Begins asynchronous code that is not ours. In a synchronous call it finds no context to come back to: that would be the thread which waits
    /// for it.</summary>
    internal static TResult Begin<TState, TResult>(bool blocksThread, TState state, Func<TState, TResult> code)
    {
        if (!blocksThread) return code(state);
        SynchronizationContext? ofCaller = SynchronizationContext.Current;
        if (ofCaller is null && TaskScheduler.Current == TaskScheduler.Default) return code(state);
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            if (TaskScheduler.Current == TaskScheduler.Default) return code(state);
            Task<TResult> here = new(() => code(state), CancellationToken.None);
            here.RunSynchronously(TaskScheduler.Default);
            return here.GetAwaiter().GetResult();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(ofCaller);
        }
    }
}
