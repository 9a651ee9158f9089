using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Resilience;

/// <summary>A circuit breaker, usable alone: ask with <see cref="TryEnter(out CircuitPermit)"/>, report with
/// <see cref="Exit(CircuitPermit, Verdict)"/>.</summary>
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
                CircuitState.Closed when era.Run.IsFull(Volatile.Read(ref _settings).FullRun) => CircuitState.Open,
                _ => era.State,
            };
        }
    }

    /// <summary>Asks to make a call. If the answer is one of the <c>Admitted…</c>, report its end with
    /// <see cref="Exit(CircuitPermit, Verdict)"/>, exactly once.</summary>
    public CircuitEntry TryEnter(out CircuitPermit permit) => TryEnter(out permit, out _);

    /// <summary>As <see cref="TryEnter(out CircuitPermit)"/>, and says why if the answer is no.</summary>
    public CircuitEntry TryEnter(out CircuitPermit permit, out CircuitRefusal? refusal)
    {
        // Acquire: pairs with the compare-and-swap in TryChange; the era we see is complete.
        Era era = Volatile.Read(ref _era);
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (era.State == CircuitState.Closed && era.UntilMs == 0 && !settings.WatchesDuration && !era.Run.IsFull(settings.FullRun))
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
    public CircuitExit Exit(CircuitPermit permit, Verdict verdict) => Exit(permit, verdict, 0);

    /// <summary>Reports how an admitted call ended, and when the dependency has asked to be called again.</summary>
    /// <param name="permit">The receipt of <see cref="TryEnter(out CircuitPermit)"/>.</param>
    /// <param name="verdict">As in the other form.</param>
    /// <param name="retryAfter">What a failure said, from now on; null or negative: nothing. Used with
    /// <see cref="CircuitBreakerOptions.BreakFollowsRetryAfter"/> only.</param>
    public CircuitExit Exit(CircuitPermit permit, Verdict verdict, TimeSpan? retryAfter) =>
        Exit(permit, verdict, retryAfter is { } asked && asked > TimeSpan.Zero ? Clock.ToMs(asked) : 0);

    /// <summary>Whether it is of use to say when a failure has asked to be called again.</summary>
    internal bool FollowsRetryAfter => Volatile.Read(ref _settings).FollowsRetryAfter;

    internal CircuitExit Exit(CircuitPermit permit, Verdict verdict, long askedMs)
    {
        Era? era = permit.Era;
        if (era is null) return CircuitExit.Stale;
        if (permit.StartedMs >= 0) era.InFlight?.End(permit.RingNumber, permit.StartedMs);

        // Acquire: as in TryEnter. If the era ends right after this look, what we do next touches the old era's words only.
        if (era != Volatile.Read(ref _era)) return CircuitExit.Stale;
        if (permit.IsObserver) return CircuitExit.Released;
        bool counts = verdict is Verdict.Success or Verdict.Failure;
        if (era.State == CircuitState.HalfOpen) return counts ? CountProbe(era, verdict == Verdict.Failure, permit.StartedMs, askedMs) : ReleaseProbe(era);
        if (!counts || era.State != CircuitState.Closed) return CircuitExit.Released;
        return Count(era, permit.StartedMs, verdict == Verdict.Failure, askedMs);
    }

    /// <summary>A pipeline with listeners uses this breaker: its events go there too.</summary>
    internal void Attach(PolicyEnvironment environment) => _listeners?.Attach(environment);

    /// <summary>The pipeline has left it out.</summary>
    internal void Detach(PolicyEnvironment environment) => _listeners?.Detach(environment);

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
            CallsInFlight inFlight = InFlightOf(era, settings);
            inFlight.Begin(now);
            permit = new(era, now, inFlight.Number);
            return answer;
        }

        if (answer < CircuitEntry.RefusedOpen)
        {
            permit = new(era, settings.WatchesDuration ? now : -1);
            return answer;
        }

        permit = settings.IsDryRun && answer != CircuitEntry.RefusedIsolated ? CircuitPermit.OfObserver(era) : default;
        return permit.Era is null ? answer : CircuitEntry.AdmittedInDryRun;
    }

    /// <summary>Where calls that begin now are counted. Made by the first call, and made anew by the first that meets another threshold.</summary>
    private static CallsInFlight InFlightOf(Era era, BreakerSettings settings)
    {
        CallsInFlight? seen = Volatile.Read(ref era.InFlight);
        while (seen is null || (seen.ThresholdMs != settings.SlowCallMs && seen.Version < settings.Version))
        {
            // Full fence: the ring is whole before it can be found. A ring of newer settings is never replaced by one of older settings.
            CallsInFlight made = new(settings.SlowCallMs, settings.Version, seen);
            CallsInFlight? found = Interlocked.CompareExchange(ref era.InFlight, made, seen);
            if (ReferenceEquals(found, seen)) return made;
            seen = found;
        }

        return seen;
    }

    private CircuitEntry? EnterClosed(Era era, BreakerSettings settings, long now)
    {
        if (era.Run.IsFull(settings.FullRun))
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
        ProbeWord first = BreakerRules.FirstProbe(now);
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

    private CircuitExit CountProbe(Era era, bool failed, long startedMs, long askedMs)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        bool isSlow = startedMs >= 0 && settings.WatchesDuration && NowMs - startedMs >= settings.SlowCallMs;
        if (isSlow) CircuitBreakerTelemetry.Slow(_environment);
        if (failed || isSlow)
        {
            era.Ask(settings, NowMs, failed ? askedMs : 0);

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

            // The settings of now, as in CountsInRun.
            BreakerSettings latest = Volatile.Read(ref _settings);
            if (closes || next.Good >= latest.SuccessThreshold) CloseAfterProbing(era, latest);
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
    private CircuitExit Count(Era era, long startedMs, bool failed, long askedMs)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (failed && settings.FollowsRetryAfter) era.Ask(settings, NowMs, askedMs);
        if (settings.ConsecutiveFailures > 0 && !CountsInRun(era, settings, failed)) return CircuitExit.Stale;
        if (settings.Failures is { } window) window.Record(settings.Slot(era, settings.Shape.Calls > 0 ? 0 : NowMs), failed);

        // The settings of now: if they are still those that we counted by, an update comes after our count and its window knows it;
        // otherwise we judge by the new window, which knows it too. Two failures on both sides of an update do not miss each other.
        if (failed || startedMs >= 0) Judge(era, Volatile.Read(ref _settings), startedMs, failed);
        return CircuitExit.Counted;
    }

    /// <summary>False when the run was full already: the circuit has opened, this result is late.</summary>
    private bool CountsInRun(Era era, BreakerSettings settings, bool failed)
    {
        if (!failed)
        {
            if (era.Run.TryEnd(settings.FullRun)) return true;
            OpenAfterRun(era, settings);
            return false;
        }

        int run = era.Run.Extend(settings.ConsecutiveFailures, settings.FullRun, settings.ConsecutiveWithinMs, NowMs);

        // The settings of now: an update to a lower limit either finds our failure (Settle), or we find the update here.
        BreakerSettings latest = Volatile.Read(ref _settings);
        if (run < 0 || run >= settings.FullRun) OpenAfterRun(era, settings);
        else if (era.Run.IsFull(latest.FullRun)) OpenAfterRun(era, latest);
        else if (run >= settings.ConsecutiveFailures) Open(era, settings, new(TripRule.ConsecutiveFailures, run, run));
        return run >= 0;
    }

    /// <summary>The run has reached the limit, unless a success by a higher limit has ended it.</summary>
    private void OpenAfterRun(Era era, BreakerSettings settings)
    {
        if (era.Run.Seal(settings.FullRun) is not 0 and var run) Open(era, settings, new(TripRule.ConsecutiveFailures, run, run));
    }

    /// <summary>The rules over the window, asked after something bad was counted (or a duration became known).</summary>
    private void Judge(Era era, BreakerSettings settings, long startedMs, bool failed)
    {
        long now = NowMs;
        double share = era.IsRamping ? BreakerRules.RampShare(era.SinceMs, era.UntilMs, now, settings) : 1;
        int minimum = BreakerRules.Minimum(settings.MinimumCalls, share);
        if (settings.SlowCalls is { } slow && startedMs >= 0)
        {
            bool isSlow = now - startedMs >= settings.SlowCallMs;
            slow.Record(settings.Slot(era, now), isSlow);
            if (isSlow) CircuitBreakerTelemetry.Slow(_environment);
            if (isSlow && TripsOnSlowCalls(era, settings, minimum, now)) return;
        }

        if (failed && settings.Failures is not null)
        {
            (int calls, int bad) = settings.SumOfFailures(era, now);
            if (BreakerRules.IsTooMany(calls, bad, minimum, settings.FailureRatio)) Open(era, settings, new(TripRule.FailureRatio, calls, bad));
        }
    }

    private bool TripsOnSlowCalls(Era era, BreakerSettings settings, int minimum, long now)
    {
        (int calls, int bad) = settings.SumOfSlowCalls(era, now);
        int overdue = Volatile.Read(ref era.InFlight)?.Overdue(now, settings.SlowCallMs) ?? 0;
        if (!BreakerRules.IsTooMany(calls + overdue, bad + overdue, minimum, settings.SlowCallRatio)) return false;
        Open(era, settings, new(TripRule.SlowCalls, calls + overdue, bad + overdue));
        return true;
    }

    /// <summary>Calls that hang report nothing, so those who come look for them: one caller per slot of time takes the trouble.</summary>
    private bool TripsOnCallsInFlight(Era era, BreakerSettings settings, long now)
    {
        if (Volatile.Read(ref era.InFlight) is null) return false;
        CallsInFlight inFlight = InFlightOf(era, settings);
        if (!inFlight.IsTimeToLook(now) || inFlight.Overdue(now, settings.SlowCallMs) == 0) return false;
        double share = era.IsRamping ? BreakerRules.RampShare(era.SinceMs, era.UntilMs, now, settings) : 1;
        return TripsOnSlowCalls(era, settings, BreakerRules.Minimum(settings.MinimumCalls, share), now);
    }

    private static string NameOf(CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Name ?? options.Kind;
    }
}
