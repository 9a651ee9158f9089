namespace Resilience.Extensibility;

/// <summary>Keeps the places of concurrency limits beyond the end of an attempt, for results that are still in use then: a response whose body
/// is yet to be read. Thread-safe.</summary>
/// <remarks>
/// The delegate puts one into its context (<see cref="ResilienceContext.Set{TValue}"/> under <see cref="Property"/>) and ties it to the result that it
/// returns. A limit on the way out then leaves its place to it instead of giving it back, if the attempt ended with a result. <see cref="Dispose"/> gives
/// all of them back; the finalizer does so for a result that is lost without being disposed of.
/// </remarks>
public sealed class PlaceHold : IDisposable
{
    /// <summary>Where it stands in the context of the call.</summary>
    public static readonly ResilienceProperty<PlaceHold> Property = new("place hold");

    private readonly Lock _gate = new(); // runs no code of others; places are given back outside
    private Action? _release;
    private bool _hasEnded;

    /// <summary>Gives back what was not given back: the result is no longer referenced.</summary>
    ~PlaceHold() => Dispose();

    /// <summary>Leaves a place to this object.</summary>
    /// <param name="release">Gives the place back; called exactly once, on any thread, and must not block.</param>
    /// <returns>False if it has ended already: then give the place back yourself.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="release"/> is null.</exception>
    public bool TryAdd(Action release)
    {
        ArgumentNullException.ThrowIfNull(release);
        lock (_gate)
        {
            if (_hasEnded) return false;
            _release += release;
            return true;
        }
    }

    /// <summary>The result is no longer in use: gives all places back. Further calls do nothing.</summary>
    public void Dispose()
    {
        Action? release;
        lock (_gate)
        {
            if (_hasEnded) return;
            _hasEnded = true;
            release = _release;
            _release = null;
        }

        GC.SuppressFinalize(this);
        foreach (Action one in Delegate.EnumerateInvocationList(release))
        {
            try
            {
                one();
            }
            catch (Exception error)
            {
                Safely.Report("place hold", error);
            }
        }
    }
}
