using System.Diagnostics;
using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience;

/// <content>Changes of state: the one place where <c>_epoch</c> is swapped, the people's controls, and the delivery of events.</content>
public sealed partial class CircuitBreaker
{
    private CircuitEpoch _delivered; // the last epoch whose beginning the listeners have heard of; changed by the deliverer only
    private int _delivering; // 1 while a thread delivers

    /// <summary>Holds the circuit open until <see cref="Close"/>, whatever the results say.</summary>
    public void Isolate()
    {
        while (true)
        {
            CircuitEpoch epoch = Volatile.Read(ref _epoch);
            if (epoch.State == CircuitState.Isolated) return;
            CircuitEpoch next = Next(epoch, CircuitState.Isolated, NowMs, 0, epoch.Level, new(TripRule.ByHand, 0, 0));
            if (TryChange(epoch, next)) return;
        }
    }

    /// <summary>Closes the circuit by hand and forgets its past: counts, run of failures, growth of the break. No ramp.</summary>
    /// <remarks>A circuit that is closed forgets the same, in a new epoch; that is no change of state, so it is neither told nor counted.</remarks>
    public void Close()
    {
        while (true)
        {
            CircuitEpoch epoch = Volatile.Read(ref _epoch);
            if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(Volatile.Read(ref _settings).FullRun))
            {
                // It has opened, and its thread is about to say so; do it for him, so that the opening is told before the closing.
                OpenAfterRun(epoch, Volatile.Read(ref _settings));
                continue;
            }

            CircuitEpoch next = Next(epoch, CircuitState.Closed, NowMs, 0, -1, new(TripRule.ByHand, 0, 0));
            if (TryChange(epoch, next)) return;
        }
    }

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
    public void Update(CircuitBreakerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.ThrowIfInvalid();
        while (true)
        {
            BreakerSettings former = Volatile.Read(ref _settings);
            CircuitEpoch epoch = Volatile.Read(ref _epoch);
            if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(former.FullRun))
            {
                OpenAfterRun(epoch, former); // by the old options it has opened; a higher limit does not undo that
                continue;
            }

            // Options are read once, and whole: the last of two racing updates wins with all of them.
            BreakerSettings next = BreakerSettings.From(options, former, epoch, NowMs);
            if (former.ConsecutiveFailures == 0) epoch.Run.TryEnd(int.MaxValue); // the run was not ended while the rule was off

            // Release: publishes the new settings; pairs with the reads of _settings.
            if (Interlocked.CompareExchange(ref _settings, next, former) != former) continue;
            Settle(next);
            return;
        }
    }

    /// <summary>What has been counted may be enough by the new options: that changes the circuit now, not at the next call.</summary>
    private void Settle(BreakerSettings settings)
    {
        CircuitEpoch epoch = Volatile.Read(ref _epoch);
        if (epoch.State == CircuitState.Closed && epoch.Run.IsFull(settings.FullRun))
            OpenAfterRun(epoch, settings);
        else if (epoch.State == CircuitState.HalfOpen && new ProbeWord(Volatile.Read(ref epoch.Probes)).Good >= settings.SuccessThreshold)
            CloseAfterProbing(epoch, settings);
    }

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
    public CircuitSnapshot TakeSnapshot()
    {
        CircuitEpoch epoch = Volatile.Read(ref _epoch);
        BreakerSettings settings = Volatile.Read(ref _settings);
        long now = NowMs;
        bool isClosed = epoch.State == CircuitState.Closed;
        (int calls, int failures) = isClosed ? settings.SumOfFailures(epoch, now) : (0, 0);
        (int timed, int slow) = isClosed ? settings.SumOfSlowCalls(epoch, now) : (0, 0);
        ProbeWord probes = new(epoch.State == CircuitState.HalfOpen ? Volatile.Read(ref epoch.Probes) : 0);
        return new(BreakerRules.Seen(epoch.State, epoch.UntilMs, now), epoch.Epoch)
        {
            Calls = Math.Max(calls, timed),
            Failures = failures,
            SlowCalls = slow,
            OverdueCalls = isClosed && settings.WatchesDuration ? Volatile.Read(ref epoch.InFlight)?.Overdue(now, settings.SlowCallMs) ?? 0 : 0,
            ConsecutiveFailures = isClosed && settings.ConsecutiveFailures > 0 ? epoch.Run.Length : 0,
            ProbesOut = probes.Out,
            ProbesSucceeded = probes.Good,
            InState = TimeSpan.FromMilliseconds(Math.Max(0, now - epoch.SinceMs)),
            RetryAfter = epoch.State == CircuitState.Open ? TimeSpan.FromMilliseconds(Math.Max(0, epoch.UntilMs - now)) : null,
            Cause = epoch.Cause,
            Rejection = epoch.Rejection,
            OpensAtFailureRatio = double.IsInfinity(settings.FailureRatio) ? null : settings.FailureRatio,
            OpensAtConsecutiveFailures = settings.ConsecutiveFailures > 0 ? settings.ConsecutiveFailures : null,
            MinimumCalls = settings.MinimumCalls,
        };
    }

    private bool Open(CircuitEpoch epoch, BreakerSettings settings, TripCause cause)
    {
        long now = NowMs;
        long healthy = epoch.State == CircuitState.Closed ? now - epoch.SinceMs : 0;
        int level = BreakerRules.NextLevel(epoch.Level, healthy, settings);
        long breakMs = BreakerRules.BreakMs(level, settings, Chance());
        long until = now + BreakerRules.Followed(breakMs, epoch.AskedUntil(settings, cause.Rule) - now, settings);

        // If another thread changed the epoch first, its reason stands and ours belongs to the past.
        return TryChange(epoch, Next(epoch, CircuitState.Open, now, until, level, cause));
    }

    /// <summary>The generator may be the user's: if it throws or leaves [0, 1), the break is not shortened.</summary>
    private double Chance() => SafeRandomness.Draw(_environment.Randomness, 0);

    private void CloseAfterProbing(CircuitEpoch epoch, BreakerSettings settings)
    {
        long now = NowMs;
        long rampEnds = settings.RampMs > 0 ? now + settings.RampMs : 0;
        TryChange(epoch, Next(epoch, CircuitState.Closed, now, rampEnds, epoch.Level, epoch.Cause));
    }

    private CircuitEpoch Next(CircuitEpoch epoch, CircuitState state, long now, long until, int level, TripCause cause, ProbeWord probes = default)
    {
        bool mayReject = state != CircuitState.Closed || until > 0;
        long rejectedUntil = state switch
        {
            CircuitState.Open => _originMs + until,
            CircuitState.HalfOpen => _originMs + probes.SentMs + Volatile.Read(ref _settings).ProbeLeaseMs,
            CircuitState.Closed => _originMs + until, // when the ramp is over
            _ => Clock.Never,
        };
        CircuitRejection? rejection = mayReject
            ? new(_environment, _key, state, cause, Volatile.Read(ref _settings), rejectedUntil)
            : null;
        return new(state, epoch.Epoch + 1, now, until, level, epoch.SlotBase + BreakerSettings.SlotStride, cause, rejection, probes);
    }

    /// <summary>The one compare-and-swap that changes the circuit. The thread that wins it delivers the event.</summary>
    private bool TryChange(CircuitEpoch from, CircuitEpoch to)
    {
        Debug.Assert(to.Epoch == from.Epoch + 1, "Epochs follow each other without a gap.");
        Debug.Assert(to.State != CircuitState.HalfOpen || new ProbeWord(to.Probes).Out == 1, "The call that begins a half-open epoch is its first probe.");
        Debug.Assert(from.State != CircuitState.Isolated || to.State == CircuitState.Closed, "Only a person ends an isolation, by closing.");

        // Full fence: everything in the new epoch is visible before the epoch is; pairs with the reads of _epoch.
        if (Interlocked.CompareExchange(ref _epoch, to, from) != from) return false;

        // Release: pairs with the read in DeliverEvents. From here on the event can be delivered, by us or by the thread that delivers now.
        Volatile.Write(ref from.Successor, to);
        DeliverEvents();
        return true;
    }

    /// <summary>Tells of each change once and in order, one thread at a time, outside of every loop that changes something.</summary>
    /// <remarks>
    /// The epochs are linked in their order, so there is nothing to queue: the deliverer walks from the last epoch told of to the
    /// newest. A thread that finds another delivering leaves its event to that one, which looks once more after it has
    /// stepped down. A listener may use the breaker, even change it: its change is delivered after it returns.
    /// </remarks>
    private void DeliverEvents()
    {
        while (Interlocked.CompareExchange(ref _delivering, 1, 0) == 0)
        {
            CircuitEpoch told = _delivered;
            while (Volatile.Read(ref told.Successor) is { } next)
            {
                _delivered = next;
                told.Successor = null; // only the deliverer walks this way: a call that hangs keeps its own epoch alive, not all that follow
                if (told.State != CircuitState.Closed || next.State != CircuitState.Closed) Tell(told, next); // closing what is closed changes no state
                told = next;
            }

            // Full fence between stepping down and looking again: pairs with the write of Successor followed by the
            // compare-and-swap above. Either we see the new successor, or its thread sees that no thread delivers.
            Interlocked.Exchange(ref _delivering, 0);
            if (Volatile.Read(ref told.Successor) is null) return;
        }
    }

    private void Tell(CircuitEpoch from, CircuitEpoch to)
    {
        CircuitBreakerTelemetry.Changed(_environment, from, to);
        Action<CircuitChanged>? listener = Volatile.Read(ref _settings).OnChange;
        if (listener is null && !_environment.HasAnyListener) return;

        TimeSpan? breakDuration = to.State == CircuitState.Open ? TimeSpan.FromMilliseconds(to.UntilMs - to.SinceMs) : null;
        CircuitChanged change = new(_environment.PipelineName, Name, from.State, to.State, to.Epoch, to.Cause, breakDuration) { Key = _key };
        try
        {
            listener?.Invoke(change);
        }
        catch (Exception error)
        {
            Safely.Report("circuit listener", error);
        }

        _environment.Publish(change);
    }
}
