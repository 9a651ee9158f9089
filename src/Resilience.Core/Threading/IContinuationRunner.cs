namespace Resilience.Extensibility;

/// <summary>A <see cref="TimeProvider"/> may implement this to decide where the library's own continuations run, which otherwise go to the thread
/// pool: a simulation that runs everything on one thread can so keep their order.</summary>
/// <remarks>Continuations of <see cref="TimeProvider.System"/> never ask: they have a queue of their own. What you await in your delegates is yours, and is
/// not passed here. Thread-safe.</remarks>
public interface IContinuationRunner
{
    /// <summary>Takes something that is to run soon, once, and not within this call. It must not throw.</summary>
    /// <param name="work">What to run: <see cref="IThreadPoolWorkItem.Execute"/> does not throw.</param>
    void Enqueue(IThreadPoolWorkItem work);
}
