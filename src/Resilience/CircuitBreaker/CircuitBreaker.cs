using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A circuit breaker, usable alone: ask with <see cref="TryEnter(out CircuitPermit)"/>, report with <see cref="Exit"/>.</summary>
/// <remarks>
/// <para>
/// Lock-free and thread-safe. Entering, leaving and being refused allocate nothing; a change of state allocates one small
/// object. Nothing runs by itself: an open circuit whose break is over becomes half open when the next call comes, and
/// <see cref="State"/> says so before that, from the time alone.
/// </para>
/// <para>
/// Each permit belongs to the era (the reign of one state) in which it was given. A result that comes back in another era is
/// <see cref="CircuitExit.Stale"/> and changes nothing. A probe that never comes back is given up after its lease.
/// </para>
/// <para>A ratio is judged when a failure (or a slow call) is counted: a success never opens a circuit.</para>
/// </remarks>
public sealed partial class CircuitBreaker
{
    private PolicyEnvironment _environment; // changes when the pipeline is updated; the name and the clock stay
    private readonly CircuitListeners? _listeners; // of a breaker that was made alone
    private readonly Clock _clock;
    private readonly long _originMs;
    private readonly string? _key; // of a partition

    // Read by every call, written when something changes.
    private Era _era;
    private BreakerSettings _settings;
    private Action<CircuitChanged>? _onChange;

    /// <summary>Makes a breaker to be used alone or shared between pipelines.</summary>
    /// <param name="options">Read once; later changes to the object have no effect, use <see cref="Update"/>.</param>
    /// <param name="timeProvider">Default: the system's.</param>
    /// <param name="randomness">For the jitter of the break. Default: <see cref="Randomness.Shared"/>.</param>
    /// <exception cref="ArgumentNullException"><paramref name="options"/> is null.</exception>
    /// <exception cref="ResilienceOptionsException">Options are out of range: all of them, in one message.</exception>
    public CircuitBreaker(CircuitBreakerOptions options, TimeProvider? timeProvider = null, Randomness? randomness = null)
        : this(options, new CircuitListeners(), timeProvider, randomness)
    {
    }

    private CircuitBreaker(CircuitBreakerOptions options, CircuitListeners listeners, TimeProvider? timeProvider, Randomness? randomness)
        : this(options, PolicyEnvironment.Standalone(NameOf(options), timeProvider, randomness, listeners.Forward))
    {
        _listeners = listeners;
        CircuitBreakerTelemetry.Watch(_environment, this);
    }

    internal CircuitBreaker(CircuitBreakerOptions options, PolicyEnvironment environment, bool isChecked = false, string? key = null)
    {
        _key = key;
        if (!isChecked) options.ThrowIfInvalid();
        _environment = environment;
        _clock = environment.Clock;
        _originMs = _clock.NowMs;
        _onChange = options.OnChange;
        _settings = BreakerSettings.From(options, null, null, 0);
        _era = _delivered = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);
    }

    /// <summary>The name, as in refusals and telemetry.</summary>
    public string Name => _environment.PolicyName;

    /// <summary>The pipeline that it was made for, empty when it was made alone.</summary>
    internal string PipelineName => Volatile.Read(ref _environment).PipelineName;

    /// <summary>The state as of now. Derived from the time, never changes anything: an open circuit whose break is over reads
    /// <see cref="CircuitState.HalfOpen"/>.</summary>
    public CircuitState State
    {
        get
        {
            Era era = Volatile.Read(ref _era);
            return era.State switch
            {
                CircuitState.Open => BreakerRules.Seen(era.State, era.UntilMs, NowMs),
                CircuitState.Closed when era.Run.Length >= Volatile.Read(ref _settings).FullRun => CircuitState.Open,
                _ => era.State,
            };
        }
    }

    /// <summary>Asks to make a call. If the answer is one of the <c>Admitted…</c>, report its end with <see cref="Exit"/>, exactly once.</summary>
    public CircuitEntry TryEnter(out CircuitPermit permit) => TryEnter(out permit, out _);

    /// <summary>As <see cref="TryEnter(out CircuitPermit)"/>, and says why if the answer is no.</summary>
    public CircuitEntry TryEnter(out CircuitPermit permit, out CircuitRefusal? refusal)
    {
        // Acquire: pairs with the compare-and-swap in TryChange; the era we see is complete.
        Era era = Volatile.Read(ref _era);
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (era.State == CircuitState.Closed && era.UntilMs == 0 && !settings.WatchesDuration && era.Run.Length < settings.FullRun)
        {
            permit = new(era);
            refusal = null;
            return CircuitEntry.Admitted;
        }

        return EnterSlowly(era, out permit, out refusal);
    }

    /// <summary>Reports how an admitted call ended.</summary>
    /// <param name="permit">The receipt of <see cref="TryEnter(out CircuitPermit)"/>.</param>
    /// <param name="verdict"><see cref="Verdict.Success"/> and <see cref="Verdict.Failure"/> are counted; anything else gives the
    /// permit back and counts nothing.</param>
    public CircuitExit Exit(CircuitPermit permit, Verdict verdict)
    {
        Era? era = permit.Era;
        if (era is null) return CircuitExit.Stale;
        if (permit.StartedMs >= 0) era.InFlight?.End(permit.StartedMs);

        // Acquire: as in TryEnter. If the era ends right after this look, what we do next touches the old era's words only.
        if (era != Volatile.Read(ref _era)) return CircuitExit.Stale;
        if (permit.IsObserver) return CircuitExit.Released;
        bool counts = verdict is Verdict.Success or Verdict.Failure;
        if (era.State == CircuitState.HalfOpen) return counts ? CountProbe(era, verdict == Verdict.Failure, permit.StartedMs) : ReleaseProbe(era);
        if (!counts || era.State != CircuitState.Closed) return CircuitExit.Released;
        return Count(era, permit.StartedMs, verdict == Verdict.Failure);
    }

    /// <summary>A pipeline with listeners uses this breaker: its events go there too.</summary>
    internal void Attach(PolicyEnvironment environment) => _listeners?.Attach(environment);

    private long NowMs => _clock.NowMs - _originMs;

    private CircuitEntry EnterSlowly(Era era, out CircuitPermit permit, out CircuitRefusal? refusal)
    {
        while (true)
        {
            BreakerSettings settings = Volatile.Read(ref _settings);
            long now = era.State == CircuitState.Isolated ? 0 : NowMs; // a person's decision does not depend on the time
            CircuitEntry? answer = era.State switch
            {
                CircuitState.Closed => EnterClosed(era, settings, now),
                CircuitState.Open => EnterOpen(ref era, settings, now),
                CircuitState.HalfOpen => EnterHalfOpen(ref era, settings, now),
                _ => CircuitEntry.RefusedIsolated,
            };

            if (answer is { } given)
            {
                refusal = given >= CircuitEntry.RefusedOpen ? era.Refusal : null;
                return Stamp(given, era, settings, now, out permit);
            }

            era = Volatile.Read(ref _era); // somebody else changed the era: look again at the new one
        }
    }

    private static CircuitEntry Stamp(CircuitEntry answer, Era era, BreakerSettings settings, long now, out CircuitPermit permit)
    {
        if (answer == CircuitEntry.Admitted && settings.WatchesDuration)
        {
            CallsInFlight inFlight = Volatile.Read(ref era.InFlight)
                ?? Interlocked.CompareExchange(ref era.InFlight, new(settings.SlowCallMs), null) ?? era.InFlight!;
            inFlight.Begin(now);
            permit = new(era, now);
            return answer;
        }

        if (answer < CircuitEntry.RefusedOpen)
        {
            permit = new(era, settings.WatchesDuration ? now : -1);
            return answer;
        }

        permit = settings.IsDryRun && answer != CircuitEntry.RefusedIsolated ? new(era, isObserver: true) : default;
        return permit.Era is null ? answer : CircuitEntry.AdmittedInDryRun;
    }

    private CircuitEntry? EnterClosed(Era era, BreakerSettings settings, long now)
    {
        if (era.Run.Length >= settings.FullRun)
        {
            OpenAfterRun(era, settings);
            return null;
        }

        if (settings.WatchesDuration && TripsOnCallsInFlight(era, settings, now)) return null;
        if (!era.IsRamping || now >= era.UntilMs) return CircuitEntry.Admitted;
        double share = BreakerRules.RampShare(era.SinceMs, era.UntilMs, now, settings);
        return BreakerRules.IsInShare(Interlocked.Increment(ref era.RampCount), share) ? CircuitEntry.Admitted : CircuitEntry.RefusedRamping;
    }

    private CircuitEntry? EnterOpen(ref Era era, BreakerSettings settings, long now)
    {
        if (now < era.UntilMs) return CircuitEntry.RefusedOpen;
        return BeginProbing(ref era, settings, now);
    }

    /// <summary>The winner's call is the first probe of the new era; whoever loses looks again and may find a place as well.</summary>
    private CircuitEntry? BeginProbing(ref Era era, BreakerSettings settings, long now)
    {
        ProbeWord first = BreakerRules.FirstProbe(now, settings);
        Era next = Next(era, CircuitState.HalfOpen, now, 0, era.Level, era.Cause, first);
        if (!TryChange(era, next)) return null;
        era = next;
        return CircuitEntry.AdmittedAsProbe;
    }

    private CircuitEntry? EnterHalfOpen(ref Era era, BreakerSettings settings, long now)
    {
        while (true)
        {
            // Acquire: pairs with the compare-and-swap just below and in CountProbe and ReleaseProbe.
            ProbeWord word = new(Volatile.Read(ref era.Probes));
            if (word.Good >= settings.SuccessThreshold)
            {
                // The last probe has done it and its thread is about to close the circuit; do it for him and look again.
                CloseAfterProbing(era, settings);
                return null;
            }

            (ProbeEntry answer, ProbeWord next) = BreakerRules.Enter(word, now, settings);
            if (answer == ProbeEntry.Lost)
            {
                // Full fence: the probes are given up before the era is, in the word where their successes are counted. A success that
                // comes at this very moment is counted and closes the circuit, or is late; never counted and without effect.
                if (!word.IsGivenUp && Interlocked.CompareExchange(ref era.Probes, ProbeWord.GivenUp.Bits, word.Bits) != word.Bits) continue;
                return BeginProbing(ref era, settings, now);
            }

            if (answer == ProbeEntry.Taken) return CircuitEntry.RefusedProbesTaken;

            Debug.Assert(next.Out <= settings.Probes, "No more probes are out than may be.");

            // Full fence: the place is ours before we go on.
            if (Interlocked.CompareExchange(ref era.Probes, next.Bits, word.Bits) == word.Bits) return CircuitEntry.AdmittedAsProbe;
        }
    }

    private CircuitExit CountProbe(Era era, bool failed, long startedMs)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        bool isSlow = startedMs >= 0 && settings.WatchesDuration && NowMs - startedMs >= settings.SlowCallMs;
        if (isSlow) CircuitBreakerTelemetry.Slow(_environment);
        if (failed || isSlow)
        {
            // Two probes that fail at once: one of them opens the circuit, the other is late.
            return Open(era, settings, new(TripRule.ProbeFailed, 1, 1)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        while (true)
        {
            ProbeWord word = new(Volatile.Read(ref era.Probes));
            if (word.Out == 0) return CircuitExit.Stale; // given up; or more came back than went out: a permit was given back twice
            (bool closes, ProbeWord next) = BreakerRules.Succeed(word, settings);

            // Full fence: pairs with the one in EnterHalfOpen; exactly one probe finds that it was the last one needed.
            if (Interlocked.CompareExchange(ref era.Probes, next.Bits, word.Bits) != word.Bits) continue;
            if (closes) CloseAfterProbing(era, settings);
            return CircuitExit.Counted;
        }
    }

    private static CircuitExit ReleaseProbe(Era era)
    {
        while (true)
        {
            ProbeWord word = new(Volatile.Read(ref era.Probes));
            if (word.Out == 0) return CircuitExit.Stale;

            // Full fence: as in CountProbe.
            if (Interlocked.CompareExchange(ref era.Probes, BreakerRules.Release(word).Bits, word.Bits) == word.Bits) return CircuitExit.Released;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private CircuitExit Count(Era era, long startedMs, bool failed)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (settings.ConsecutiveFailures > 0 && !CountsInRun(era, settings, failed)) return CircuitExit.Stale;
        if (settings.Failures is { } window) window.Record(settings.Slot(era, settings.Shape.Calls > 0 ? 0 : NowMs), failed);
        if (failed || startedMs >= 0) Judge(era, settings, startedMs, failed);
        return CircuitExit.Counted;
    }

    /// <summary>False when the run was full already: the circuit has opened, this result is late.</summary>
    private bool CountsInRun(Era era, BreakerSettings settings, bool failed)
    {
        int run = 0;
        bool isInTime = failed
            ? (run = era.Run.Extend(settings.ConsecutiveFailures, settings.FullRun, settings.ConsecutiveWithinMs, NowMs)) >= 0
            : era.Run.TryEnd(settings.FullRun);
        if (!isInTime || run >= settings.ConsecutiveFailures) OpenAfterRun(era, settings);
        return isInTime;
    }

    private void OpenAfterRun(Era era, BreakerSettings settings)
    {
        int run = Math.Max(era.Run.Length, settings.ConsecutiveFailures);
        Open(era, settings, new(TripRule.ConsecutiveFailures, run, run));
    }

    /// <summary>The rules over the window, asked after something bad was counted (or a duration became known).</summary>
    private void Judge(Era era, BreakerSettings settings, long startedMs, bool failed)
    {
        long now = NowMs;
        double share = era.IsRamping ? BreakerRules.RampShare(era.SinceMs, era.UntilMs, now, settings) : 1;
        int minimum = BreakerRules.Minimum(settings.MinimumCalls, share);
        uint slot = settings.Slot(era, now);
        if (settings.SlowCalls is { } slow && startedMs >= 0)
        {
            bool isSlow = now - startedMs >= settings.SlowCallMs;
            slow.Record(slot, isSlow);
            if (isSlow) CircuitBreakerTelemetry.Slow(_environment);
            if (isSlow && settings.WatchesDuration && TripsOnSlowCalls(era, settings, slow, slot, minimum, now)) return;
        }

        if (failed && settings.Failures is { } failures)
        {
            (int calls, int bad) = failures.Sum(slot);
            if (BreakerRules.IsTooMany(calls, bad, minimum, settings.FailureRatio)) Open(era, settings, new(TripRule.FailureRatio, calls, bad));
        }
    }

    private bool TripsOnSlowCalls(Era era, BreakerSettings settings, FailureWindow slow, uint slot, int minimum, long now)
    {
        (int calls, int bad) = slow.Sum(slot);
        int overdue = era.InFlight?.Overdue(now) ?? 0;
        if (!BreakerRules.IsTooMany(calls + overdue, bad + overdue, minimum, settings.SlowCallRatio)) return false;
        Open(era, settings, new(TripRule.SlowCalls, calls + overdue, bad + overdue));
        return true;
    }

    /// <summary>Calls that hang report nothing, so those who come look for them: one caller per slot of time takes the trouble.</summary>
    private bool TripsOnCallsInFlight(Era era, BreakerSettings settings, long now)
    {
        if (settings.SlowCalls is not { } slow || Volatile.Read(ref era.InFlight) is not { } inFlight || !inFlight.IsTimeToLook(now)) return false;
        if (inFlight.Overdue(now) == 0) return false;
        double share = era.IsRamping ? BreakerRules.RampShare(era.SinceMs, era.UntilMs, now, settings) : 1;
        return TripsOnSlowCalls(era, settings, slow, settings.Slot(era, now), BreakerRules.Minimum(settings.MinimumCalls, share), now);
    }

    private static string NameOf(CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Name ?? options.Kind;
    }
}
