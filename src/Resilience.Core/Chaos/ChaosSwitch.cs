using Resilience.Extensibility;

namespace Resilience.Chaos;

/// <summary>Turns the chaos of one or more policies on and off while they are in use. Off at first. Thread-safe.</summary>
/// <remarks>
/// Each policy has a switch of its own, found as its state (<c>pipeline.Find&lt;ChaosSwitch&gt;()</c>); give one to
/// <see cref="ChaosOptions.Switch"/> to share it between pipelines. Each time it is turned on, calls are numbered from 0 anew, so
/// that a run with the same seed can be repeated.
/// </remarks>
public sealed class ChaosSwitch : IPolicyStatus
{
    private readonly Clock _clock;
    private readonly Lock _changing = new(); // changes only; calls read _run, and listeners are told outside
    private WeakReference<IChaosListener>[] _listeners = [];
    private ChaosRates? _rates;
    private ChaosRun? _run; // null while off
    private long _runs;

    /// <summary>Creates a switch that is off.</summary>
    /// <param name="timeProvider">Measures <see cref="TurnOn(TimeSpan)"/> and schedules. Default: the system's.</param>
    public ChaosSwitch(TimeProvider? timeProvider = null)
        : this(Clock.For(timeProvider ?? TimeProvider.System))
    {
    }

    internal ChaosSwitch(Clock clock) => _clock = clock;

    /// <summary>Whether it is on now. Outside the windows of a schedule nothing is injected all the same.</summary>
    public bool IsOn => Run is { } run && _clock.NowMs < run.EndsMs;

    /// <summary>For how long it is still on; null when it is off or has no end.</summary>
    public TimeSpan? TimeLeft
    {
        get
        {
            if (Run is not { } run || run.EndsMs == Clock.Never) return null;
            long left = run.EndsMs - _clock.NowMs;
            return left > 0 ? TimeSpan.FromMilliseconds(left) : null;
        }
    }

    /// <summary>Rates in the place of those in the options, effective at once. Default null: those in the options.</summary>
    /// <remarks>A window of a schedule that has rates of its own keeps them. A kind for which the options have nothing (a result of no
    /// type, no behaviour) is not injected, whatever its rate.</remarks>
    /// <exception cref="ResilienceOptionsException">A rate is out of range, or the outcomes are more than 1 together.</exception>
    public ChaosRates? Rates
    {
        get
        {
            lock (_changing) return _rates;
        }

        set
        {
            if (value is { } rates)
            {
                OptionsCheck check = new("chaos");
                rates.Check(check, nameof(Rates));
                if (check.Problems.Count > 0) throw new ResilienceOptionsException(check.Problems);
            }

            ChaosRun? run;
            lock (_changing)
            {
                _rates = value;
                run = _run;
                if (run is not null) Volatile.Write(ref _run, run = run with { Rates = value });
            }

            if (run is not null) Tell(run);
        }
    }

    /// <summary>Turns it on until it is turned off. If it is on already, its end is taken away and its run goes on.</summary>
    public void TurnOn() => TurnOn(Clock.Never);

    /// <summary>Turns it on for a while: a forgotten switch ends by itself. If it is on already, it ends after this span and its run goes on.</summary>
    /// <param name="time">1 ms to 365 days.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="time"/> is out of range.</exception>
    public void TurnOn(TimeSpan time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(time, TimeSpan.FromMilliseconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(time, ChaosSchedule.Max);
        TurnOn(Clock.After(_clock.NowMs, time));
    }

    /// <summary>Turns it off: calls that begin from now on are left alone.</summary>
    public void TurnOff() => End(null);

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus() => new(IsOn ? PolicyCondition.Warning : PolicyCondition.Ok, $"chaos {this}");

    /// <inheritdoc/>
    public override string ToString() => IsOn ? TimeLeft is { } left ? $"on for {TimeText.Of(left)}" : "on" : "off";

    /// <summary>Null while off: all that a call reads then. A run whose end has passed is ended by the first call that sees it.</summary>
    /// <remarks>Acquire: a run that we see is whole.</remarks>
    internal ChaosRun? Run => Volatile.Read(ref _run);

    internal long NowMs => _clock.NowMs;

    internal bool IsOf(TimeProvider time) => ReferenceEquals(_clock.Provider, time);

    /// <summary>Ends this run, or whichever there is, and tells of it once.</summary>
    internal void End(ChaosRun? expired)
    {
        lock (_changing)
        {
            if (_run is not { } run || (expired is not null && (run.Number != expired.Number || run.EndsMs > _clock.NowMs))) return;
            Volatile.Write(ref _run, null);
        }

        Tell(null);
    }

    internal void Attach(IChaosListener listener)
    {
        lock (_changing) _listeners = [.. _listeners.Where(w => w.TryGetTarget(out _)), new(listener)];
    }

    internal void Detach(IChaosListener listener)
    {
        lock (_changing) _listeners = [.. _listeners.Where(w => w.TryGetTarget(out IChaosListener? known) && known != listener)];
    }

    private void TurnOn(long endsMs)
    {
        ChaosRun run;
        lock (_changing)
        {
            long now = _clock.NowMs;
            run = _run is { } running && now < running.EndsMs
                ? running with { EndsMs = endsMs }
                : new(++_runs, now, _clock.Time.GetUtcNow(), endsMs, _rates);
            Volatile.Write(ref _run, run); // release: pairs with the acquire in Run
        }

        Tell(run);
    }

    private void Tell(ChaosRun? run)
    {
        WeakReference<IChaosListener>[] listeners;
        lock (_changing) listeners = _listeners;
        foreach (WeakReference<IChaosListener> weak in listeners)
        {
            if (weak.TryGetTarget(out IChaosListener? listener)) listener.Switched(run);
        }
    }
}

/// <summary>From one turning on to the next turning off. Immutable.</summary>
/// <param name="Number">Grows with each run of a switch.</param>
/// <param name="StartedMs">When it began, on the clock's line.</param>
/// <param name="StartedAt">When it began, on the wall.</param>
/// <param name="EndsMs">When it ends by itself.</param>
/// <param name="Rates">Rates in the place of those in the options.</param>
internal sealed record ChaosRun(long Number, long StartedMs, DateTimeOffset StartedAt, long EndsMs, ChaosRates? Rates)
{
    /// <summary>Milliseconds since the start of a plan, negative before it.</summary>
    internal long SinceStartOf(ChaosPlan plan, long nowMs) =>
        nowMs - StartedMs + (plan.StartsAt is { } start ? (long)(StartedAt - start).TotalMilliseconds : 0);
}

/// <summary>Is told when a switch was turned on (or its run changed) or off (null).</summary>
internal interface IChaosListener
{
    void Switched(ChaosRun? run);
}
