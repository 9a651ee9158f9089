using System.Globalization;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.CustomPolicy;

/// <summary>Rejects all calls while it is switched on by hand, and knows how many are still under way. Thread-safe.</summary>
public sealed class PauseSwitch : IPolicyStatus
{
    private readonly PolicyEnvironment _environment;
    private PauseSwitchOptions _options; // replaced as a whole, never changed
    private PausedRejection? _pause; // null: calls pass
    private int _running;

    public PauseSwitch(
        PauseSwitchOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null, Action<ResilienceEvent>? listener = null)
        : this(options.Copy(), PolicyEnvironment.Standalone(options.GetName(), timeProvider, randomness, listener)) => _options.ThrowIfInvalid();

    internal PauseSwitch(PauseSwitchOptions options, PolicyEnvironment environment) => (_options, _environment) = (options, environment);

    public string Name => _environment.PolicyName;

    /// <summary>Calls under way. Zero after <see cref="Pause"/>: none is left, and none comes before the pause is over.</summary>
    public int Running => Volatile.Read(ref _running);

    public bool IsPaused => Volatile.Read(ref _pause) is { IsOver: false };

    public void Pause(TimeSpan length, string why)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(length, TimeSpan.Zero);
        ArgumentException.ThrowIfNullOrEmpty(why);
        PauseSwitchOptions options = Volatile.Read(ref _options);
        TimeSpan spread = options.EndSpread * _environment.Randomness.NextDouble();
        TimeSpan whole = (length < options.MaxPause ? length : options.MaxPause) + spread;

        // Full fence: the pause is visible before the caller reads Running; pairs with the increment in TryEnter.
        Interlocked.Exchange(ref _pause, new PausedRejection(Name, why, whole, _environment.TimeProvider));
        _environment.Report(new PauseChanged(_environment.PipelineName, Name, IsPaused: true, whole));
    }

    public void Resume()
    {
        if (Interlocked.Exchange(ref _pause, null) is null) return;
        _environment.Report(new PauseChanged(_environment.PipelineName, Name, IsPaused: false, TimeSpan.Zero));
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

    public PolicyStatus GetStatus()
    {
        PausedRejection? pause = Volatile.Read(ref _pause) is { IsOver: false } now ? now : null;
        string text = string.Create(CultureInfo.InvariantCulture, $"{Running} running");
        return new(pause is null ? PolicyCondition.Ok : PolicyCondition.Tripped, pause is null ? text : $"{text}; {pause.Reason}")
        {
            CanTrip = true,
            Readings = [new("running", Running, "calls")],
        };
    }

    internal void Update(PauseSwitchOptions options) => Volatile.Write(ref _options, options); // for pauses to come
}
