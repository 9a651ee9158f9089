using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

/// <summary>Rejects all calls while it is switched on by hand, and knows how many are still under way. Thread-safe.</summary>
public sealed class PauseSwitch
{
    private readonly PolicyEnvironment _environment;
    private readonly TimeSpan _longestPause;
    private readonly TimeSpan _endSpread;
    private PausedRejection? _pause; // null: calls pass
    private int _running;

    public PauseSwitch(
        PauseSwitchOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null, Action<ResilienceEvent>? listener = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        _environment = PolicyEnvironment.Standalone(options.GetName(), timeProvider, randomness, listener);
        _longestPause = options.MaxPause;
        _endSpread = options.EndSpread;
    }

    public string Name => _environment.PolicyName;

    /// <summary>Calls under way. Zero after <see cref="Pause"/>: none is left, and none comes before the pause is over.</summary>
    public int Running => Volatile.Read(ref _running);

    public bool IsPaused => Volatile.Read(ref _pause) is { IsOver: false };

    public void Pause(TimeSpan length, string why)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(length, TimeSpan.Zero);
        ArgumentException.ThrowIfNullOrEmpty(why);
        TimeSpan spread = _endSpread * _environment.Randomness.NextDouble();
        TimeSpan whole = (length < _longestPause ? length : _longestPause) + spread;

        // Full fence: the pause is visible before the caller reads Running; pairs with the increment in TryEnter.
        Interlocked.Exchange(ref _pause, new PausedRejection(Name, why, whole, _environment.TimeProvider));
        _environment.Publish(new PauseChanged(_environment.PipelineName, Name, IsPaused: true, whole));
    }

    public void Resume()
    {
        if (Interlocked.Exchange(ref _pause, null) is null) return;
        _environment.Publish(new PauseChanged(_environment.PipelineName, Name, IsPaused: false, TimeSpan.Zero));
    }

    /// <summary>Null: go on, and call <see cref="Exit"/> exactly once. Otherwise: why not.</summary>
    public PausedRejection? TryEnter()
    {
        // Full fence: we are counted before we look at the pause. Either we see it, or the thread that paused sees us.
        Interlocked.Increment(ref _running);
        if (Volatile.Read(ref _pause) is not { IsOver: false } pause) return null;
        Exit();
        return pause;
    }

    public void Exit() => Interlocked.Decrement(ref _running);
}
