namespace Resilience;

/// <summary>Synchronous calls as links of ours see them, which may come up late: nothing here throws.</summary>
internal static class SynchronousCalls
{
    extension(ResilienceContext context)
    {
        /// <summary>As <see cref="ResilienceContext.IsSynchronous"/>.</summary>
        internal bool BlocksThread => (context.State.Remarks & AttemptRemarks.IsSynchronous) != 0;

        /// <summary>From now on the thread waits for this call.</summary>
        internal void BlockThread() => context.State.Remarks |= AttemptRemarks.IsSynchronous;

        /// <summary>As <see cref="ResilienceContext.WaitIfSynchronous(Task)"/>.</summary>
        internal Task Settle(Task wait) => context.BlocksThread ? SynchronousWait.For(wait) : wait;

        /// <summary>The same for what code of the user has begun, which is counted.</summary>
        internal ValueTask<TResult> Settle<TResult>(ValueTask<TResult> running) =>
            context.BlocksThread && !running.IsCompleted ? new(SynchronousWait.ForCodeOfOthers(running.AsTask(), context.NameOfPipeline)) : running;

        /// <summary>The same without a result.</summary>
        internal ValueTask Settle(ValueTask running) =>
            context.BlocksThread && !running.IsCompleted ? new(SynchronousWait.ForCodeOfOthers(running.AsTask(), context.NameOfPipeline)) : running;

        /// <summary>Begins asynchronous code that is not ours, and settles it.</summary>
        internal ValueTask<TResult> BeginSettled<TState, TResult>(TState state, Func<TState, ValueTask<TResult>> code) =>
            context.Settle(SynchronousWait.Begin(context.BlocksThread, state, code));
    }
}
