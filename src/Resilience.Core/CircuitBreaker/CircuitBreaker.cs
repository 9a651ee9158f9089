using System.Runtime.CompilerServices;
using Resilience.Extensibility;

namespace Resilience;

/// <summary>A circuit breaker, usable alone: ask with <see cref="TryEnter(out CircuitPermit)"/>, report with
/// <see cref="Exit(CircuitPermit, Verdict)"/>.</summary>
/// <remarks>
/// <para>
/// Lock-free and thread-safe. Entering, leaving and being rejected allocate nothing; a change of state allocates one small
/// object. Nothing runs by itself: an open circuit whose break is over becomes half open when the next call comes, and
/// <see cref="State"/> says so before that, from the time alone.
/// </para>
/// <para>
/// Each permit belongs to the epoch (the epoch of one state) in which it was given. A result that comes back in another epoch is
/// <see cref="CircuitExit.Stale"/> and changes nothing. A probe that never comes back is given up after its lease.
/// </para>
/// <para>A ratio is judged when a failure (or a slow call) is counted: a success never opens a circuit.</para>
/// </remarks>
public sealed partial class CircuitBreaker : IPolicyStatus
{
    private PolicyEnvironment _environment; // changes when the pipeline is updated; the name and the clock stay
    private readonly CircuitListeners? _listeners; // of a breaker that was made alone
    private readonly Clock _clock;
    private readonly long _originMs;
    private readonly string? _key; // of a partition

    // Read by every call, written when something changes.
    private CircuitEpoch _epoch;
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
        : this(options, PolicyEnvironment.Standalone(CircuitDescription.NameOf(options), timeProvider, randomness, listeners.Forward))
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
        _epoch = new(CircuitState.Closed, 1, 0, 0, -1, 0, default, null);
        _news = new(_epoch);
    }

    /// <summary>The name, as in rejections and telemetry.</summary>
    public string Name => _environment.PolicyName;

    PolicyStatus IPolicyStatus.GetStatus() => CircuitStatus.Of(TakeSnapshot());

    /// <summary>Of a partition: the key that it is for.</summary>
    internal string? Key => _key;

    internal CircuitEpoch CurrentEpoch => Volatile.Read(ref _epoch);

    internal BreakerSettings Settings => Volatile.Read(ref _settings);

    internal PolicyEnvironment Environment => _environment;

    /// <summary>The pipeline that it was made for, empty when it was made alone.</summary>
    internal string PipelineName => Volatile.Read(ref _environment).PipelineName;

    /// <summary>The state as of now. Derived from the time, never changes anything: an open circuit whose break is over reads
    /// <see cref="CircuitState.HalfOpen"/>.</summary>
    public CircuitState State
    {
        get
        {
            CircuitEpoch epoch = Volatile.Read(ref _epoch);
            return epoch.State switch
            {
                CircuitState.Open => BreakerRules.Seen(epoch.State, epoch.UntilMs, NowMs),
                CircuitState.Closed when epoch.Run.IsFull(Volatile.Read(ref _settings).FullRun) => CircuitState.Open,
                _ => epoch.State,
            };
        }
    }

    /// <summary>Asks to make a call. If the answer is one of the <c>Admitted…</c>, report its end with
    /// <see cref="Exit(CircuitPermit, Verdict)"/>, exactly once.</summary>
    public CircuitAdmission TryEnter(out CircuitPermit permit) => TryEnter(out permit, out _);

    /// <summary>As <see cref="TryEnter(out CircuitPermit)"/>, and says why if the answer is no.</summary>
    public CircuitAdmission TryEnter(out CircuitPermit permit, out CircuitRejection? rejection)
    {
        // Acquire: pairs with the compare-and-swap in TryChange; the epoch we see is complete.
        CircuitEpoch epoch = Volatile.Read(ref _epoch);
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (epoch.State == CircuitState.Closed && epoch.UntilMs == 0 && !settings.WatchesDuration && !epoch.Run.IsFull(settings.FullRun))
        {
            permit = new(epoch);
            rejection = null;
            return CircuitAdmission.Admitted;
        }

        return EnterSlowly(epoch, out permit, out rejection);
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

    internal CircuitExit Exit(CircuitPermit permit, Verdict verdict, long askedMs)
    {
        CircuitEpoch? epoch = permit.CircuitEpoch;
        if (epoch is null) return CircuitExit.Stale;
        if (permit.StartedMs >= 0) epoch.InFlight?.End(permit.RingNumber, permit.StartedMs);

        // Acquire: as in TryEnter. If the epoch ends right after this look, what we do next touches the old epoch's words only.
        if (epoch != Volatile.Read(ref _epoch)) return CircuitExit.Stale;
        if (permit.IsObserver) return CircuitExit.Released;
        bool counts = verdict is Verdict.Success or Verdict.Failure;
        if (epoch.State == CircuitState.HalfOpen)
            return counts ? CountProbe(epoch, verdict == Verdict.Failure, permit.StartedMs, askedMs) : ReleaseProbe(epoch);
        if (!counts || epoch.State != CircuitState.Closed) return CircuitExit.Released;
        return Count(epoch, permit.StartedMs, verdict == Verdict.Failure, askedMs);
    }

    /// <summary>A pipeline with listeners uses this breaker: its events go there too.</summary>
    internal void Attach(PolicyEnvironment environment) => _listeners?.Attach(environment);

    /// <summary>The pipeline has left it out.</summary>
    internal void Detach(PolicyEnvironment environment) => _listeners?.Detach(environment);

    /// <summary>The time on its own clock: milliseconds since it was made.</summary>
    internal long NowMs => _clock.NowMs - _originMs;

    private CircuitAdmission EnterSlowly(CircuitEpoch epoch, out CircuitPermit permit, out CircuitRejection? rejection)
    {
        while (true)
        {
            BreakerSettings settings = Volatile.Read(ref _settings);
            long now = epoch.State == CircuitState.Isolated ? 0 : NowMs; // a person's decision does not depend on the time
            CircuitAdmission? answer = epoch.State switch
            {
                CircuitState.Closed => EnterClosed(epoch, settings, now),
                CircuitState.Open => EnterOpen(ref epoch, settings, now),
                CircuitState.HalfOpen => EnterHalfOpen(ref epoch, settings, now),
                _ => CircuitAdmission.RejectedIsolated,
            };

            if (answer is { } given)
            {
                rejection = given >= CircuitAdmission.RejectedOpen ? epoch.Rejection : null;
                return Stamp(given, epoch, settings, now, out permit);
            }

            epoch = Volatile.Read(ref _epoch); // another thread changed the epoch: look again at the new one
        }
    }

    private static CircuitAdmission Stamp(CircuitAdmission answer, CircuitEpoch epoch, BreakerSettings settings, long now, out CircuitPermit permit)
    {
        if (answer == CircuitAdmission.Admitted && settings.WatchesDuration)
        {
            CallsInFlight inFlight = CircuitEpoch.InFlightOf(epoch, settings);
            inFlight.Begin(now);
            permit = new(epoch, now, inFlight.Number);
            return answer;
        }

        if (answer < CircuitAdmission.RejectedOpen)
        {
            permit = new(epoch, settings.WatchesDuration ? now : -1);
            return answer;
        }

        permit = settings.IsDryRun && answer != CircuitAdmission.RejectedIsolated ? CircuitPermit.OfObserver(epoch) : default;
        return permit.CircuitEpoch is null ? answer : CircuitAdmission.AdmittedInDryRun;
    }

    private CircuitAdmission? EnterClosed(CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        if (epoch.Run.IsFull(settings.FullRun))
        {
            OpenAfterRun(epoch, settings);
            return null;
        }

        if (settings.WatchesDuration && WindowRules.TripsOnCallsInFlight(this, epoch, settings, now)) return null;
        if (!epoch.IsRamping || now >= epoch.UntilMs) return CircuitAdmission.Admitted;
        double share = BreakerRules.RampShare(epoch.SinceMs, epoch.UntilMs, now, settings);
        return BreakerRules.IsInShare(Interlocked.Increment(ref epoch.RampCount), share) ? CircuitAdmission.Admitted : CircuitAdmission.RejectedRamping;
    }

    private CircuitAdmission? EnterOpen(ref CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        if (now < epoch.UntilMs) return CircuitAdmission.RejectedOpen;
        return BeginProbing(ref epoch, settings, now);
    }

    /// <summary>The winner's call is the first probe of the new epoch; a call that loses looks again and may find a place as well.</summary>
    private CircuitAdmission? BeginProbing(ref CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        ProbeWord first = BreakerRules.FirstProbe(now);
        CircuitEpoch next = Next(epoch, CircuitState.HalfOpen, now, 0, epoch.Level, epoch.Cause, first);
        if (!TryChange(epoch, next)) return null;
        epoch = next;
        return CircuitAdmission.AdmittedAsProbe;
    }

    private CircuitAdmission? EnterHalfOpen(ref CircuitEpoch epoch, BreakerSettings settings, long now)
    {
        switch (CircuitProbes.Take(epoch, settings, now))
        {
            case ProbeAdmission.Enough:
                // The last probe has done it and its thread is about to close the circuit; do it for him and look again.
                CloseAfterProbing(epoch, settings);
                return null;
            case ProbeAdmission.Lost:
                return BeginProbing(ref epoch, settings, now);
            case ProbeAdmission.Taken:
                return CircuitAdmission.RejectedProbesTaken;
            default:
                return CircuitAdmission.AdmittedAsProbe;
        }
    }

    private static CircuitExit ReleaseProbe(CircuitEpoch epoch) => CircuitProbes.TryRelease(epoch) ? CircuitExit.Released : CircuitExit.Stale;

    private CircuitExit CountProbe(CircuitEpoch epoch, bool failed, long startedMs, long askedMs)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        bool isSlow = startedMs >= 0 && settings.WatchesDuration && NowMs - startedMs >= settings.SlowCallMs;
        if (isSlow) CircuitBreakerTelemetry.Slow(_environment);
        if (failed || isSlow)
        {
            epoch.Ask(settings, NowMs, failed ? askedMs : 0);

            // Two probes that fail at once: one of them opens the circuit, the other is late.
            return Open(epoch, settings, new(TripRule.ProbeFailed, 1, 1)) ? CircuitExit.Counted : CircuitExit.Stale;
        }

        if (!CircuitProbes.TrySucceed(epoch, settings, out bool closes, out int good)) return CircuitExit.Stale;

        // The settings of now, as in CountsInRun.
        BreakerSettings latest = Volatile.Read(ref _settings);
        if (closes || good >= latest.SuccessThreshold) CloseAfterProbing(epoch, latest);
        return CircuitExit.Counted;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private CircuitExit Count(CircuitEpoch epoch, long startedMs, bool failed, long askedMs)
    {
        BreakerSettings settings = Volatile.Read(ref _settings);
        if (failed && settings.HearsRetryAfter) epoch.Ask(settings, NowMs, askedMs);
        if (settings.ConsecutiveFailures > 0 && !CountsInRun(epoch, settings, failed)) return CircuitExit.Stale;
        if (settings.Failures is { } window) window.Record(settings.Slot(epoch, settings.Shape.Calls > 0 ? 0 : NowMs), failed);

        // The settings of now: if they are still those that we counted by, an update comes after our count and its window knows it;
        // otherwise we judge by the new window, which knows it too. Two failures on both sides of an update do not miss each other.
        if (failed || startedMs >= 0) WindowRules.Judge(this, epoch, Volatile.Read(ref _settings), startedMs, failed);
        return CircuitExit.Counted;
    }

    /// <summary>False when the run was full already: the circuit has opened, this result is late.</summary>
    private bool CountsInRun(CircuitEpoch epoch, BreakerSettings settings, bool failed)
    {
        if (!failed)
        {
            if (epoch.Run.TryEnd(settings.FullRun)) return true;
            OpenAfterRun(epoch, settings);
            return false;
        }

        int run = epoch.Run.Extend(settings.ConsecutiveFailures, settings.FullRun, settings.ConsecutiveWithinMs, NowMs);

        // The settings of now: an update to a lower limit either finds our failure (Settle), or we find the update here.
        BreakerSettings latest = Volatile.Read(ref _settings);
        if (run < 0 || run >= settings.FullRun) OpenAfterRun(epoch, settings);
        else if (epoch.Run.IsFull(latest.FullRun)) OpenAfterRun(epoch, latest);
        else if (run >= settings.ConsecutiveFailures) Open(epoch, settings, new(TripRule.ConsecutiveFailures, run, run));
        return run >= 0;
    }

    /// <summary>The run has reached the limit, unless a success by a higher limit has ended it.</summary>
    internal void OpenAfterRun(CircuitEpoch epoch, BreakerSettings settings)
    {
        if (epoch.Run.Seal(settings.FullRun) is not 0 and var run) Open(epoch, settings, new(TripRule.ConsecutiveFailures, run, run));
    }
}
