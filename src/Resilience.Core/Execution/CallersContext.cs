namespace Resilience;

/// <summary>Where a caller runs that is not indifferent to it: the thread of a window, the turn of a grain.</summary>
internal sealed class CallersContext
{
    private readonly SynchronizationContext? _context;
    private readonly TaskScheduler _scheduler;

    private CallersContext(SynchronizationContext? context, TaskScheduler scheduler) => (_context, _scheduler) = (context, scheduler);

    /// <summary>That of the caller on this thread; null where any thread of the pool will do.</summary>
    internal static CallersContext? Capture()
    {
        if (SynchronizationContext.Current is { } context && context.GetType() != typeof(SynchronizationContext))
            return new(context, TaskScheduler.FromCurrentSynchronizationContext());
        return TaskScheduler.Current == TaskScheduler.Default ? null : new(null, TaskScheduler.Current);
    }

    /// <summary>Whether this thread is there.</summary>
    internal bool IsCurrent => _context is not null ? SynchronizationContext.Current == _context : TaskScheduler.Current == _scheduler;

    /// <summary>Runs it there. A context that does not run anything any more, such as that of a closed window, ends with the token.</summary>
    internal async Task<T> RunAsync<T>(Func<Task<T>> run, CancellationToken cancellationToken)
    {
        TaskCompletionSource<Task<T>> turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int isDecided = 0; // whether it begins, or the token was first: a scheduler may keep what was cancelled until it comes to it
        using (cancellationToken.UnsafeRegister(_ => End(), null))
        {
            _ = Task.Factory.StartNew(Begin, CancellationToken.None, TaskCreationOptions.None, _scheduler);
            return await (await turn.Task.ConfigureAwait(false)).ConfigureAwait(false);
        }

        void Begin()
        {
            if (Interlocked.Exchange(ref isDecided, 1) != 0) return;
            try
            {
                turn.SetResult(run());
            }
            catch (Exception error)
            {
                turn.SetException(error);
            }
        }

        void End()
        {
            if (Interlocked.Exchange(ref isDecided, 1) == 0) turn.SetCanceled(cancellationToken);
        }
    }
}
