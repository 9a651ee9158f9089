using Resilience.Events;
using Resilience.Extensibility;

namespace Resilience.Overload;

/// <content>Which endpoints are left out, and how they come back.</content>
public sealed partial class EndpointSet
{
    /// <summary>An endpoint whose time is over and to which no probe is under way; it gets one now.</summary>
    private TargetEndpoint? FindProbe(TargetEndpoint[] all, long nowMs, ReadOnlySpan<TargetEndpoint> tried)
    {
        if (Volatile.Read(ref _out) == 0 || IsPanic || Options.Ejection is not { } ejection) return null;
        long leaseMs = Clock.ToMs(ejection.Base);
        foreach (TargetEndpoint one in all)
        {
            EndpointHealth seen = one.Health;
            if (!seen.MayProbe(nowMs, leaseMs) || Contains(tried, one)) continue;
            if (_terms.ComesBackAtOnce) TakeBack(one);
            else if (one.TryChange(seen, seen.ProbeBegan(nowMs))) return one; // of those that find it due at once, one gets it
        }

        return null;
    }

    private void ProbeEnded(TargetEndpoint endpoint, EndpointEnd end)
    {
        while (true)
        {
            long nowMs = _clock.NowMs;
            EndpointHealth seen = endpoint.Health;
            if (seen.State != EndpointState.Probing || !seen.IsProbeOut || Options.Ejection is not { } ejection) return; // given up before
            EndpointHealth next = end switch
            {
                EndpointEnd.Answered => seen.ProbeSucceeded(nowMs),
                EndpointEnd.Failed => IsPanic
                    ? EndpointHealth.Of(EndpointState.Ejected, seen.Level, 0, false, nowMs + Clock.ToMs(ejection.Base))
                    : seen.Ejected(nowMs, Clock.ToMs(ejection.Base), Clock.ToMs(ejection.Max)),
                _ => seen.ProbeVoid(nowMs),
            };
            if (!endpoint.TryChange(seen, next)) continue;
            if (next.State == EndpointState.Ejected) Tell(endpoint, EjectionReason.FailedAgain, next.Ms - nowMs);
            if (next.State != EndpointState.Ramping) return;
            Interlocked.Decrement(ref _out); // its place is free for another
            endpoint.ForgetFailures();
            if (!_environment.IsObserved(EndpointReadmitted.Metric)) return;
            _environment.Report(new EndpointReadmitted(PipelineName, Name, IndexOf(endpoint)) { Address = endpoint.Address });
            return;
        }
    }

    /// <summary>Leaves an endpoint out, unless too many are. Then it is remembered that it fails.</summary>
    private void Eject(TargetEndpoint endpoint, EjectionReason reason)
    {
        if (Options.Ejection is not { } ejection) return;
        int max = EjectionRules.MaxOut(Volatile.Read(ref _all).Length, ejection.MaxShare);
        while (true)
        {
            EndpointHealth seen = endpoint.Health;
            if (seen.IsOut) return;
            int taken = Volatile.Read(ref _out);
            if (taken >= max || IsPanic)
            {
                endpoint.IsFailing = true;
                return;
            }

            // Full fence: the place is taken before the endpoint is left out, so no more are out than there are places.
            if (Interlocked.CompareExchange(ref _out, taken + 1, taken) != taken) continue;
            long nowMs = _clock.NowMs;
            EndpointHealth next = seen.Ejected(nowMs, Clock.ToMs(ejection.Base), Clock.ToMs(ejection.Max));
            if (endpoint.TryChange(seen, next))
            {
                endpoint.ForgetFailures();
                Tell(endpoint, reason, next.Ms - nowMs);
                return;
            }

            Interlocked.Decrement(ref _out); // another thread was first with this endpoint
        }
    }

    private void Tell(TargetEndpoint endpoint, EjectionReason reason, long forMs)
    {
        if (!_environment.IsObserved(EndpointEjected.Metric)) return;
        TimeSpan duration = TimeSpan.FromMilliseconds(forMs);
        _environment.Report(new EndpointEjected(PipelineName, Name, IndexOf(endpoint), reason, duration) { Address = endpoint.Address });
    }

    private int IndexOf(TargetEndpoint endpoint) => Array.IndexOf(Volatile.Read(ref _all), endpoint);

    /// <summary>It is left out no more: it has left the list, or comes back at once.</summary>
    private void TakeBack(TargetEndpoint endpoint)
    {
        while (true)
        {
            EndpointHealth seen = endpoint.Health;
            if (!seen.IsOut) return;
            if (!endpoint.TryChange(seen, EndpointHealth.Of(EndpointState.In, seen.Level, 0, false, 0))) continue;
            Interlocked.Decrement(ref _out);
            return;
        }
    }

    /// <summary>The interval is over: the thread that claims it compares the endpoints. Others go on with what was known before.</summary>
    private void Sweep(long nowMs)
    {
        EndpointSetOptions options = Options;
        long dueMs = Volatile.Read(ref _sweepAtMs);
        if (nowMs < dueMs || Interlocked.CompareExchange(ref _sweepAtMs, nowMs + IntervalMs(options), dueMs) != dueMs) return; // full fence: one goes on
        if (options.Ejection is not { } ejection) return;
        TargetEndpoint[] all = Volatile.Read(ref _all);
        EndpointInterval[] intervals = Array.ConvertAll(all, static e => e.TakeInterval());
        int unwell = 0;
        for (int i = 0; i < all.Length; i++)
        {
            if (IsUnwell(all, intervals, i, ejection)) unwell++;
        }

        Volatile.Write(ref _isPanic, EjectionRules.IsPanic(all.Length, unwell, ejection.PanicBelow) ? 1 : 0); // release: a flag of its own
        for (int i = 0; i < all.Length; i++) Judge(all[i], intervals, i, ejection, nowMs, all.Length);
    }

    /// <summary>Whether an endpoint is left out and has not shown that it is well, or would be left out if there were a place.</summary>
    private static bool IsUnwell(TargetEndpoint[] all, EndpointInterval[] intervals, int index, EndpointEjectionOptions ejection)
    {
        TargetEndpoint endpoint = all[index];
        EndpointInterval interval = intervals[index];
        if (endpoint.Health.IsOut) return interval.Ended == 0 || interval.Failed > 0;
        if (interval.Ended > 0 && interval.Failed < ejection.FailureShare * interval.Ended) endpoint.IsFailing = false;
        if (EjectionRules.FailsTooMuch(interval, ejection)) endpoint.IsFailing = true;
        return endpoint.IsFailing;
    }

    private void Judge(TargetEndpoint endpoint, EndpointInterval[] intervals, int index, EndpointEjectionOptions ejection, long nowMs, int endpoints)
    {
        bool isSlow = ejection.SlowFactor is { } factor && endpoints >= ejection.MinEndpoints && EjectionRules.IsSlow(intervals, index, factor);
        endpoint.SlowIntervals = isSlow ? endpoint.SlowIntervals + 1 : 0;
        EjectionReason? reason = endpoints >= ejection.MinEndpoints && EjectionRules.FailsTooMuch(intervals[index], ejection) ? EjectionReason.FailureShare
            : endpoint.SlowIntervals >= 2 ? EjectionReason.Slow
            : null;
        if (reason is { } why)
        {
            Eject(endpoint, why);
            return;
        }

        if (endpoint.IsFailing && endpoint.Consecutive >= ejection.ConsecutiveFailures) Eject(endpoint, EjectionReason.ConsecutiveFailures);
        EndpointHealth seen = endpoint.Health;
        if (!endpoint.IsFailing && !seen.IsOut) endpoint.TryChange(seen, seen.Recovered(nowMs)); // lost where it changes meanwhile: the next interval does it
    }

    /// <inheritdoc/>
    PolicyStatus IPolicyStatus.GetStatus() => EndpointStatus.Of(Endpoints, Ejected, IsPanic);
}
