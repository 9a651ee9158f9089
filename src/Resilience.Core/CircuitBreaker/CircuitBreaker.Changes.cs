using System.Diagnostics;
using Resilience.Extensibility;

namespace Resilience;

/// <content>Changes of state: the one place where <c>_epoch</c> is swapped, the people's controls, and what people read.</content>
public sealed partial class CircuitBreaker
{
    private CircuitNews _news;

    /// <summary>Holds the circuit open until <see cref="Close"/>, whatever the results say.</summary>
    public void Isolate() => CircuitControl.Isolate(this);

    /// <summary>Closes the circuit by hand and forgets its past: counts, run of failures, growth of the break. No ramp.</summary>
    /// <remarks>A circuit that is closed forgets the same, in a new epoch; that is no change of state, so it is neither told nor counted.</remarks>
    public void Close() => CircuitControl.Close(this);

    /// <summary>Changes the options of a living breaker, all but the name, in one step. State, counts, growth and permits that are out are
    /// kept, and what was counted keeps its age.</summary>
    /// <remarks>
    /// A call that is counted at this very moment may still be judged by the old options; it is counted in any case. A break and a ramp
    /// under way keep their end; a lease of probes does not. Failures in a row that reach a lower limit open the circuit at once, and probes
    /// that reach a lower threshold close it; other rules are asked when the next failure or slow call is counted, or found under way. A
    /// rule that was off begins with nothing.
    /// </remarks>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range; the old ones stay in effect.</exception>
    public void Update(CircuitBreakerOptions options) => CircuitControl.Update(this, ref _settings, options);

    /// <summary>As <see cref="Update"/>, and events go to the listeners of another environment from now on.</summary>
    internal void Adopt(CircuitBreakerOptions options, PolicyEnvironment environment)
    {
        Update(options);

        // Full fence: the environment is whole before a change can be told to it.
        PolicyEnvironment former = Interlocked.Exchange(ref _environment, environment);
        if (ReferenceEquals(former.Meter, environment.Meter)) return; // it is counted there already, under the names of the environment it has
        CircuitBreakerTelemetry.Unwatch(former, this);
        CircuitBreakerTelemetry.Watch(environment, this);
    }

    /// <summary>An update has left its policy out: it is counted no more, unless another policy has adopted it.</summary>
    internal void Abandon(PolicyEnvironment environment)
    {
        if (ReferenceEquals(Volatile.Read(ref _environment), environment)) CircuitBreakerTelemetry.Unwatch(environment, this);
    }

    /// <summary>A moment's view of the breaker, for people and dashboards. Changes nothing.</summary>
    public CircuitSnapshot TakeSnapshot() => CircuitSnapshot.Of(CurrentEpoch, Settings, NowMs);

    /// <summary>Opens the circuit, unless another thread has changed the epoch first.</summary>
    internal bool Open(CircuitEpoch epoch, BreakerSettings settings, TripCause cause)
    {
        long now = NowMs;
        long healthy = epoch.State == CircuitState.Closed ? now - epoch.SinceMs : 0;
        int level = BreakerRules.NextLevel(epoch.Level, healthy, settings);
        (long breakMs, int breaks) = BreakContext.Decide(epoch, settings, cause, level, healthy, now, SafeRandomness.Draw(_environment.Randomness, 0));

        // If another thread changed the epoch first, its reason stands and ours belongs to the past.
        return TryChange(epoch, Next(epoch, CircuitState.Open, now, now + breakMs, level, cause, breaks: breaks));
    }

    internal void CloseAfterProbing(CircuitEpoch epoch, BreakerSettings settings)
    {
        long now = NowMs;
        long rampEnds = settings.RampMs > 0 ? now + settings.RampMs : 0;
        TryChange(epoch, Next(epoch, CircuitState.Closed, now, rampEnds, epoch.Level, epoch.Cause));
    }

    internal CircuitEpoch Next(
        CircuitEpoch epoch, CircuitState state, long now, long until, int level, TripCause cause, ProbeWord probes = default, int? breaks = null)
    {
        bool mayReject = state != CircuitState.Closed || until > 0;
        long rejectedUntil = state switch
        {
            CircuitState.Open => _originMs + until,
            CircuitState.HalfOpen => _originMs + probes.SentMs + Volatile.Read(ref _settings).ProbeLeaseMs,
            CircuitState.Closed => _originMs + until, // when the ramp is over
            _ => Clock.Never,
        };
        CircuitRejection? rejection = mayReject ? new(_environment, _key, state, cause, Volatile.Read(ref _settings), rejectedUntil) : null;
        return new(state, epoch.Epoch + 1, now, until, level, epoch.SlotBase + BreakerSettings.SlotStride, cause, rejection, probes,
            breaks ?? (level < 0 ? 0 : epoch.Breaks));
    }

    /// <summary>The one compare-and-swap that changes the circuit. The thread that wins it delivers the event.</summary>
    internal bool TryChange(CircuitEpoch from, CircuitEpoch to)
    {
        Debug.Assert(to.Epoch == from.Epoch + 1, "Epochs follow each other without a gap.");
        Debug.Assert(to.State != CircuitState.HalfOpen || new ProbeWord(to.Probes).Out == 1, "The call that begins a half-open epoch is its first probe.");
        Debug.Assert(from.State != CircuitState.Isolated || to.State == CircuitState.Closed, "Only a person ends an isolation, by closing.");

        // Full fence: everything in the new epoch is visible before the epoch is; pairs with the reads of _epoch.
        if (Interlocked.CompareExchange(ref _epoch, to, from) != from) return false;

        // Release: pairs with the read in CircuitNews.Deliver. From here on the event can be delivered, by us or by the thread that delivers now.
        Volatile.Write(ref from.Successor, to);
        _news.Deliver(this);
        return true;
    }

    /// <summary>True when nothing would be lost by forgetting this breaker but counts of a healthy dependency: it is closed, and has
    /// not opened of late.</summary>
    public bool IsForgettable => CallsIfForgettable(_clock.NowMs) is not null;

    /// <summary>How many calls its window holds, if nothing else would be lost by forgetting it; otherwise null.</summary>
    /// <param name="clockMs">A reading of its clock: one for all that are asked.</param>
    internal int? CallsIfForgettable(long clockMs) => CurrentEpoch.CallsIfHealthy(Settings, Math.Max(0, clockMs - _originMs));

    /// <summary>Whether a listener, or a delegate of the user's, wants to know what the last failure was.</summary>
    internal bool WantsLastFailure => Settings.WantsLastFailure || (_listeners?.HasAny ?? _environment.HasAnyListener);

    /// <summary>The user's word on which failures count; null: all.</summary>
    internal Func<AttemptResult, bool>? ShouldCount => Settings.ShouldCount;

    internal PolicyDescription Describe(string policyName) => CircuitDescription.Of(policyName, Settings);
}
